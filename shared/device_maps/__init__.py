"""Device maps as data; schema: `shared.modbus.maps.DeviceMap`."""
