"""Device maps as data; schema: `edge.modbus.maps.DeviceMap`."""
