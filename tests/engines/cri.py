#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""cri.py SOCKET METHOD [REQUEST]: calls a container runtime interface as the kubelet does.

REQUEST and what is printed are JSON; bytes are text, numbers that are zero are left out.  A METHOD in small letters is one that
streams: "exec" and "attach" (REQUEST as for Exec and Attach) send this program's input and print what comes, over a
WebSocket at the address that the runtime names; the exit status is the command's.

The messages are those of the kubernetes project's CRI, version 1, as far as the checks use them: name[:type][*]=number, where
the type is text when none is named and "*" is a list.
"""
import base64
import json
import os
import re
import select
import socket
import struct
import sys
import urllib.parse

import grpc

TIMESCALE = int(os.environ.get("HOLM_TIMESCALE", 1))

MESSAGES = {
    "StatusRequest": "verbose:int=1",
    "StatusResponse": "status:RuntimeStatus=1",
    "RuntimeStatus": "conditions:RuntimeCondition*=1",
    "RuntimeCondition": "type=1 status:int=2 reason=3 message=4",
    "VersionRequest": "version=1",
    "VersionResponse": "version=1 runtime_name=2 runtime_version=3 runtime_api_version=4",

    "PodSandboxMetadata": "name=1 uid=2 namespace=3 attempt:int=4",
    "DNSConfig": "servers*=1 searches*=2 options*=3",
    "PortMapping": "protocol:int=1 container_port:int=2 host_port:int=3 host_ip=4",
    "Int64Value": "value:int=1",
    "NamespaceOption": "network:Namespace=1 pid:Namespace=2 ipc:Namespace=3 target_id=4",
    "SecurityProfile": "profile_type:Profile=1 localhost_ref=2",
    "LinuxSandboxSecurityContext": "namespace_options:NamespaceOption=1 run_as_user:Int64Value=3 readonly_rootfs:int=4 "
                                   "supplemental_groups:int*=5 privileged:int=6 seccomp:SecurityProfile=9",
    "LinuxPodSandboxConfig": "cgroup_parent=1 security_context:LinuxSandboxSecurityContext=2 sysctls:map=3",
    "PodSandboxConfig": "metadata:PodSandboxMetadata=1 hostname=2 log_directory=3 dns_config:DNSConfig=4 "
                        "port_mappings:PortMapping*=5 labels:map=6 annotations:map=7 linux:LinuxPodSandboxConfig=8",
    "RunPodSandboxRequest": "config:PodSandboxConfig=1 runtime_handler=2",
    "RunPodSandboxResponse": "pod_sandbox_id=1",
    "StopPodSandboxRequest": "pod_sandbox_id=1",
    "RemovePodSandboxRequest": "pod_sandbox_id=1",
    "PodSandboxStatusRequest": "pod_sandbox_id=1",
    "PodSandboxStatusResponse": "status:PodSandboxStatus=1",
    "PodSandboxStatus": "id=1 metadata:PodSandboxMetadata=2 state:SandboxState=3 network:PodSandboxNetworkStatus=5 labels:map=7 "
                        "annotations:map=8 runtime_handler=9",
    "PodSandboxNetworkStatus": "ip=1",
    "ListPodSandboxResponse": "items:PodSandbox*=1",
    "PodSandbox": "id=1 metadata:PodSandboxMetadata=2 state:SandboxState=3 runtime_handler=7",
    "PodSandboxStatsRequest": "pod_sandbox_id=1",
    "PodSandboxStatsResponse": "stats:PodSandboxStats=1",
    "PodSandboxStats": "linux:LinuxPodSandboxStats=2",
    "LinuxPodSandboxStats": "cpu:CpuUsage=1 memory:MemoryUsage=2 process:ProcessUsage=4 containers:ContainerStats*=5",
    "ProcessUsage": "process_count:UInt64Value=2",

    "ImageSpec": "image=1",
    "KeyValue": "key=1 value=2",
    "Mount": "container_path=1 host_path=2 readonly:int=3 propagation:Propagation=5",
    "Device": "container_path=1 host_path=2 permissions=3",
    "Capability": "add_capabilities*=1 drop_capabilities*=2",
    "LinuxContainerResources": "cpu_period:int=1 cpu_quota:int=2 cpu_shares:int=3 memory_limit_in_bytes:int=4 oom_score_adj:int=5 "
                               "cpuset_cpus=6 cpuset_mems=7 unified:map=9",
    "LinuxContainerSecurityContext": "capabilities:Capability=1 privileged:int=2 namespace_options:NamespaceOption=3 "
                                     "run_as_user:Int64Value=5 run_as_username=6 readonly_rootfs:int=7 supplemental_groups:int*=8 "
                                     "no_new_privs:int=11 run_as_group:Int64Value=12 masked_paths*=13 readonly_paths*=14 "
                                     "seccomp:SecurityProfile=15",
    "LinuxContainerConfig": "resources:LinuxContainerResources=1 security_context:LinuxContainerSecurityContext=2",
    "ContainerMetadata": "name=1 attempt:int=2",
    "ContainerConfig": "metadata:ContainerMetadata=1 image:ImageSpec=2 command*=3 args*=4 working_dir=5 envs:KeyValue*=6 "
                       "mounts:Mount*=7 devices:Device*=8 labels:map=9 annotations:map=10 log_path=11 stdin:int=12 stdin_once:int=13 "
                       "tty:int=14 linux:LinuxContainerConfig=15",
    "CreateContainerRequest": "pod_sandbox_id=1 config:ContainerConfig=2 sandbox_config:PodSandboxConfig=3",
    "CreateContainerResponse": "container_id=1",
    "StartContainerRequest": "container_id=1",
    "StopContainerRequest": "container_id=1 timeout:int=2",
    "RemoveContainerRequest": "container_id=1",
    "ListContainersResponse": "containers:Container*=1",
    "Container": "id=1 pod_sandbox_id=2 metadata:ContainerMetadata=3 state:ContainerState=6",
    "ContainerStatusRequest": "container_id=1 verbose:int=2",
    "ContainerStatusResponse": "status:ContainerStatus=1 info:map=2",
    "ContainerStatus": "id=1 metadata:ContainerMetadata=2 state:ContainerState=3 created_at:int=4 started_at:int=5 finished_at:int=6 "
                       "exit_code:int=7 reason=10 message=11 log_path=15",
    "UpdateContainerResourcesRequest": "container_id=1 linux:LinuxContainerResources=2",
    "ReopenContainerLogRequest": "container_id=1",
    "CheckpointContainerRequest": "container_id=1 location=2 timeout:int=3",
    "ExecSyncRequest": "container_id=1 cmd*=2 timeout:int=3",
    "ExecSyncResponse": "stdout=1 stderr=2 exit_code:int=3",
    "ExecRequest": "container_id=1 cmd*=2 tty:int=3 stdin:int=4 stdout:int=5 stderr:int=6",
    "ExecResponse": "url=1",
    "AttachRequest": "container_id=1 stdin:int=2 tty:int=3 stdout:int=4 stderr:int=5",
    "AttachResponse": "url=1",

    "UInt64Value": "value:int=1",
    "CpuUsage": "usage_core_nano_seconds:UInt64Value=2",
    "MemoryUsage": "working_set_bytes:UInt64Value=2 available_bytes:UInt64Value=3 usage_bytes:UInt64Value=4",
    "FilesystemUsage": "used_bytes:UInt64Value=3 inodes_used:UInt64Value=4",
    "ContainerStatsRequest": "container_id=1",
    "ContainerStatsResponse": "stats:ContainerStats=1",
    "ContainerStats": "cpu:CpuUsage=2 memory:MemoryUsage=3 writable_layer:FilesystemUsage=4",

    "ImageStatusRequest": "image:ImageSpec=1",
    "ImageStatusResponse": "image:Image=1",
    "Image": "id=1 repo_tags*=2 size:int=4",
}
ENUMS = {
    "Namespace": ["POD", "CONTAINER", "NODE", "TARGET"],
    "Profile": ["RuntimeDefault", "Unconfined", "Localhost"],
    "Propagation": ["PRIVATE", "HOST_TO_CONTAINER", "BIDIRECTIONAL"],
    "SandboxState": ["READY", "NOTREADY"],
    "ContainerState": ["CREATED", "RUNNING", "EXITED", "UNKNOWN"],
}
NUMBER, BYTES = 0, 2  # wire types


def fields(message):
    for text in MESSAGES.get(message, "").split():
        name, kind, many, number = re.fullmatch(r"(\w+)(?::(\w+))?(\*?)=(\d+)", text).groups()
        yield name, kind or "text", bool(many), int(number)


def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7f:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def encode_value(number, kind, value):
    if kind == "int" or kind in ENUMS:
        return varint(number << 3 | NUMBER) + varint(ENUMS[kind].index(value) if kind in ENUMS else int(value))
    data = value.encode() if kind == "text" else encode(kind, value)
    return varint(number << 3 | BYTES) + varint(len(data)) + data


def encode(message, values):
    out, known = b"", set()
    for name, kind, many, number in fields(message):
        known.add(name)
        if name not in values:
            continue
        if kind == "map":
            pairs = [{"key": k, "value": v} for k, v in values[name].items()]
            out += b"".join(encode_value(number, "KeyValue", pair) for pair in pairs)
        else:
            out += b"".join(encode_value(number, kind, v) for v in (values[name] if many else [values[name]]))
    if set(values) - known:
        sys.exit(f"cri.py: {message} has no {', '.join(set(values) - known)}")
    return out


def read_varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7f) << shift
        shift += 7
        at += 1
        if not data[at - 1] & 0x80:
            return value, at


def decode(message, data):
    known = {number: (name, kind, many) for name, kind, many, number in fields(message)}
    values, at = {}, 0
    while at < len(data):
        key, at = read_varint(data, at)
        value, end = read_varint(data, at)
        if key & 7 == BYTES:
            at, end = end, end + value
            value = data[at:end]
        elif key & 7 != NUMBER:
            sys.exit(f"cri.py: {message} has a field of wire type {key & 7}")
        at = end
        name, kind, many = known.get(key >> 3, (None, None, None))
        if name is None:
            continue
        if kind == "map":
            pair = decode("KeyValue", value)
            values.setdefault(name, {})[pair.get("key", "")] = pair.get("value", "")
            continue
        if kind == "text":
            value = value.decode(errors="replace")
        elif kind in ENUMS:
            value = ENUMS[kind][value]
        elif kind != "int":
            value = decode(kind, value)
        elif many and key & 7 == BYTES:
            sys.exit(f"cri.py: {message} has a packed list")
        elif value >= 1 << 63:
            value -= 1 << 64
        if many:
            values.setdefault(name, []).append(value)
        else:
            values[name] = value
    return values


def call(path, method, request):
    service = "ImageService" if "Image" in method else "RuntimeService"
    with grpc.insecure_channel("unix://" + path) as channel:
        function = channel.unary_unary(f"/runtime.v1.{service}/{method}", lambda values: encode(method + "Request", values),
                                       lambda data: decode(method + "Response", data))
        try:
            return function(request, timeout=60 * TIMESCALE)
        except grpc.RpcError as error:
            sys.exit(f"{error.code().name}: {error.details()}")


class WebSocket:
    """The client's end: binary messages, the first byte of each says which stream it belongs to."""

    def __init__(self, url):
        url = urllib.parse.urlsplit(url)
        self.socket = socket.create_connection((url.hostname, url.port), timeout=30 * TIMESCALE)
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f"GET {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\nUpgrade: websocket\r\n"
                             f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
                             "Sec-WebSocket-Protocol: v4.channel.k8s.io\r\n\r\n").encode())
        self.data = b""
        while b"\r\n\r\n" not in self.data:
            self.fill()
        head, self.data = self.data.split(b"\r\n\r\n", 1)
        if not head.startswith(b"HTTP/1.1 101"):
            sys.exit(f"cri.py: no WebSocket: {head.decode()}")

    def fill(self):
        more = self.socket.recv(65536)
        if not more:
            raise EOFError
        self.data += more

    def take(self, count):
        while len(self.data) < count:
            self.fill()
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def send(self, data):
        mask = os.urandom(4)
        length = bytes([0x80 | len(data)]) if len(data) < 126 else bytes([0x80 | 126]) + struct.pack(">H", len(data))
        self.socket.sendall(b"\x82" + length + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data)))

    def receive(self):
        """One message; None at the end."""
        opcode, length = self.take(2)
        if length == 126:
            length, = struct.unpack(">H", self.take(2))
        elif length == 127:
            length, = struct.unpack(">Q", self.take(8))
        data = self.take(length)
        return None if opcode & 0xf == 8 else data


def stream(path, method, request):
    """Input to stream 0, streams 1 and 2 to output and error, stream 3 is the status."""
    websocket = WebSocket(call(path, method.capitalize(), request)["url"])
    inputs = [sys.stdin] if request.get("stdin") else []
    try:
        while True:
            ready = [websocket] if websocket.data else select.select([websocket.socket] + inputs, [], [], 60)[0]
            if not ready:
                sys.exit("cri.py: nothing comes")
            if sys.stdin in ready:
                data = os.read(0, 4096)
                inputs = inputs if data else []
                websocket.send(b"\0" + data)
                continue
            message = websocket.receive()
            if message is None:
                return 0
            if message[:1] == b"\3":
                status = json.loads(message[1:])
                causes = {c["reason"]: c["message"] for c in (status.get("details") or {}).get("causes", [])}
                if status["status"] != "Success" and "ExitCode" not in causes:
                    sys.exit(status.get("message"))
                return int(causes.get("ExitCode", 0))
            os.write(2 if message[:1] == b"\2" else 1, message[1:])
    except EOFError:
        return 0


def main():
    path, method = sys.argv[1:3]
    request = json.loads(sys.argv[3]) if len(sys.argv) > 3 else {}
    if method.islower():
        sys.exit(stream(path, method, request))
    print(json.dumps(call(path, method, request)))


main()
