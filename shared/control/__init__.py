"""What central tells a concentrator to do: signed configurations and commands, sealed secrets, results."""
