"""ipycam's ONVIF services and its discovery, without its pictures.

Arguments: the RTSP port that it tells, and the name and password that it wants. Writes "ready <port>".
Runs until its standard input is closed.
"""

import http.server
import sys
import types

# What it draws with is not needed for what it tells.
for name in ("cv2", "numpy"):
    module = types.ModuleType(name)
    module.__getattr__ = lambda attribute: object
    sys.modules[name] = module

from ipycam.config import CameraConfig
from ipycam.discovery import WSDiscoveryServer
from ipycam.http import IPCameraHTTPHandler
from ipycam.onvif import ONVIFService

rtsp_port, user, password = sys.argv[1:]
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), IPCameraHTTPHandler)
config = CameraConfig(
    name="East gate",
    local_ip="127.0.0.1",
    onvif_port=server.server_port,
    rtsp_port=int(rtsp_port),
    main_stream_name="main",
    sub_stream_name="street",
)
config.username, config.password = user, password


class Camera:
    onvif = ONVIFService(config)


Camera.config = config
IPCameraHTTPHandler.camera = Camera
WSDiscoveryServer(Camera.onvif).start()
import threading

threading.Thread(target=server.serve_forever, daemon=True).start()
print("ready", server.server_port, flush=True)
sys.stdin.read()
