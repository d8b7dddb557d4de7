//! What a town has: the files of a Modbus device with points of every kind, of a plug, and a scene.

pub(super) const RELAY: &str = r#"
[device-type]
id = "relay"
title = { zh = "继电器", en = "relay" }
via = "modbus"
[modbus]
function = "holding"
start = 10
every = "200 ms"
[[point]]
name = "setpoint"
at = { word = 0 }
scale = 0.1
unit = "%"
writable = { range = [0, 90], step = 0.5, every = "10 ms" }
[[point]]
name = "witness"
at = { word = 1 }
unit = "1"
[[point]]
name = "speed"
at = { word = 2, type = "f32" }
unit = "1"
writable = { range = [-100, 100], every = "10 ms" }
[[point]]
name = "stuck"
at = { word = 4 }
unit = "1"
writable = { range = [0, 9], at = { word = 5 }, every = "10 ms", within = "1 s" }
[[point]]
name = "locked"
at = { word = 6 }
unit = "1"
writable = { range = [0, 9], when = "witness == 1.0" }
[[point]]
name = "absent"
at = { word = 1 }
unit = "1"
writable = { range = [0, 9], at = { word = 900 } }
[[point]]
name = "relay"
at = { word = 3, function = "coil" }
unit = "1"
[point.writable]
range = [0, 1]
every = "10 ms"
at = { word = 3, function = "coil" }
[[point]]
name = "lamp"
at = { word = 4, function = "coil" }
unit = "1"
writable = { range = [0, 1], multiple = true, every = "10 ms" }
[[example]]
words = [425, 7, 0xc144, 0, 5, 0, 0]
tables = { coil = [0, 0, 0, 1, 0] }
expect = { setpoint = 42.5, witness = 7, speed = -12.25, stuck = 5, locked = 0, absent = 7, relay = 1, lamp = 0 }
[[example]]
write = { setpoint = 42.5 }
words = [425]
[[example]]
write = { speed = -12.25 }
words = [0xc144, 0]
[[example]]
write = { stuck = 7 }
words = [7]
[[example]]
write = { locked = 1 }
words = [1]
[[example]]
write = { absent = 1 }
words = [1]
[[example]]
write = { relay = 1 }
tables = { coil = [1] }
[[example]]
write = { lamp = 0 }
tables = { coil = [0] }
"#;

pub(super) const PLUG: &str = r#"
[device-type]
id = "plug"
title = { zh = "插座", en = "plug" }
via = "mqtt"
[[point]]
name = "on"
at = { json = "/on" }
unit = "1"
optional = true
[point.writable]
range = [0, 1]
words = { ON = 1, OFF = 0 }
topic = "cmnd/{2}/POWER"
payload = "{value}"
every = "10 ms"
within = "20 s"
[[point]]
name = "t"
at = { json = "/t" }
unit = "1"
optional = true
[[example]]
payload = '{"on": true}'
expect = { on = 1 }
[[example]]
write = { on = 1 }
own-topic = "tele/plug/STATE"
topic = "cmnd/plug/POWER"
payload = "ON"
"#;

pub(super) const ODD: &str = r#"
[scene]
id = "odd"
title = { zh = "异常", en = "odd" }
category = "facility"
advice = { zh = "去看", en = "go and look" }
[[detector]]
id = "witness"
when = "witness != 7.0"
[[detector]]
id = "told"
when = "t > 50.0"
"#;
