"""GStreamer's RTSP server, showing one recording in several ways.

Arguments: the port (0 for any), the recording (H.264 in MP4), and a name and password that it wants (by
digest), if it wants any. Writes "ready <port>". Runs until its standard input is closed.
"""

import os
import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
gi.require_version("GstRtsp", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer

PAY = "rtph264pay name=pay0 pt=96 config-interval=-1"

port, recording, *login = sys.argv[1:]
Gst.init(None)
demux = f"filesrc location={recording} ! qtdemux ! h264parse"
bytes_ = "video/x-h264,stream-format=byte-stream,alignment=au"
mounts = {
    "/street": f"( {demux} ! {PAY} )",
    # Bytes in the middle of a picture are other ones, now and then.
    "/broken": f"( {demux} ! {bytes_} ! breakmydata probability=0.000005 skip=150000 seed=7 ! {PAY} )",
    # A tenth of the pictures is missing, and nothing tells so.
    "/gaps": f"( {demux} ! {bytes_} ! identity drop-probability=0.1 ! {PAY} )",
    "/jpeg": "( videotestsrc is-live=true ! video/x-raw,format=I420,width=320,height=240,framerate=10/1 "
    "! jpegenc ! rtpjpegpay name=pay0 pt=26 )",
    "/vp8": "( videotestsrc is-live=true ! vp8enc deadline=1 ! rtpvp8pay name=pay0 pt=96 )",
}
# Recordings one after the other, in one stream.
clip = os.environ.get("CLIP")
if clip:
    mounts["/clip"] = f"( filesrc location={clip} ! h264parse ! {PAY} )"
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(port)
for path, launch in mounts.items():
    factory = GstRtspServer.RTSPMediaFactory()
    factory.set_launch(launch)
    if login:
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_permission_for_role("viewer", "media.factory.access", True)
        permissions.add_permission_for_role("viewer", "media.factory.construct", True)
        factory.set_permissions(permissions)
    server.get_mount_points().add_factory(path, factory)
if login:
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", "viewer")
    auth.add_digest(login[0], login[1], token)
    server.set_auth(auth)
server.attach(None)
loop = GLib.MainLoop()
threading.Thread(target=lambda: (sys.stdin.read(), loop.quit()), daemon=True).start()
print("ready", server.get_bound_port(), flush=True)
loop.run()
