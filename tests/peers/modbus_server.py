"""Modbus slaves of pymodbus, for the tests in tests/src/modbus.

    modbus_server.py tcp|rtu-over-tcp PORT SLAVES
    modbus_server.py serial PATH SLAVES

SLAVES is JSON: {unit: {table: [[address, type, order, value], ...]}}. The values are encoded by
pymodbus itself; type `bit` is for coils and discrete inputs. An address that nothing was put at
does not exist: reading it is answered with an exception, and so is a unit that was never there by
silence, as on a real line.

Prints `ready PORT`. Then takes one command a line from stdin and answers it with `done`:

    delay UNIT ADDRESS MS   answer the next question for that address late; meanwhile nobody is
                            answered, as when a slow slave holds the line
    mute UNIT               from now on that unit does not answer
    unmute UNIT
    set UNIT TABLE ADDRESS VALUE
                            a register, or a bit as 0 or 1, becomes that
    get UNIT TABLE ADDRESS  say what is there instead of `done`
"""

import asyncio
import json
import logging
import sys
import time

from pymodbus import pymodbus_apply_logging_config
from pymodbus.constants import Endian
from pymodbus.datastore import ModbusServerContext, ModbusSlaveContext, ModbusSparseDataBlock
from pymodbus.framer import FramerType
from pymodbus.payload import BinaryPayloadBuilder
from pymodbus.pdu import ExceptionResponse
from pymodbus.server import ModbusSerialServer, ModbusTcpServer

ORDERS = {
    "big": (Endian.BIG, Endian.BIG),
    "little": (Endian.LITTLE, Endian.LITTLE),
    "big-swapped": (Endian.BIG, Endian.LITTLE),
    "little-swapped": (Endian.LITTLE, Endian.BIG),
}
TABLES = {"coil": "co", "discrete": "di", "holding": "hr", "input": "ir"}


def encode(kind, order, value):
    """The registers (or the bit) that hold a value."""
    if kind == "bit":
        return [bool(value)]
    byteorder, wordorder = ORDERS[order]
    builder = BinaryPayloadBuilder(byteorder=byteorder, wordorder=wordorder)
    {
        "u16": builder.add_16bit_uint,
        "i16": builder.add_16bit_int,
        "u32": builder.add_32bit_uint,
        "i32": builder.add_32bit_int,
        "f32": builder.add_32bit_float,
    }[kind](value)
    return builder.to_registers()


class Table(ModbusSparseDataBlock):
    """One table of one slave."""

    def __init__(self, entries):
        words = {}
        for address, kind, order, value in entries:
            # The context counts from 1.
            words.update({address + 1 + i: w for i, w in enumerate(encode(kind, order, value))})
        super().__init__(words or {0: 0})
        self.delays = {}

    def getValues(self, address, count=1):
        # Blocks the whole server on purpose: the line is held.
        time.sleep(self.delays.pop(address - 1, 0))
        if not all(address + i in self.values for i in range(count)):
            return ExceptionResponse.ILLEGAL_ADDRESS
        return super().getValues(address, count)

    def setValues(self, address, values):
        if not all(address + i in self.values for i in range(len(values))):
            return ExceptionResponse.ILLEGAL_ADDRESS
        return super().setValues(address, values)


async def commands(slaves, present):
    """Takes commands until stdin closes."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        word, unit, *rest = line.split()
        unit = int(unit)
        if word == b"delay":
            for table in slaves[unit].store.values():
                table.delays[int(rest[0])] = int(rest[1]) / 1000
        elif word == b"mute":
            present.pop(unit)
        elif word == b"unmute":
            present[unit] = slaves[unit]
        elif word == b"set":
            table, address, value = rest
            name = table.decode()
            number = bool(int(value)) if name in ("coil", "discrete") else int(value)
            slaves[unit].store[TABLES[name][0]].values[int(address) + 1] = number
        elif word == b"get":
            table, address = rest
            code = TABLES[table.decode()][0]
            values = slaves[unit].store[code].values
            print(int(values[int(address) + 1]), flush=True)
            continue
        print("done", flush=True)


async def main():
    wire, where, spec = sys.argv[1:]
    pymodbus_apply_logging_config(logging.CRITICAL)
    slaves = {
        int(unit): ModbusSlaveContext(
            **{short: Table(tables.get(table, [])) for table, short in TABLES.items()}
        )
        for unit, tables in json.loads(spec).items()
    }
    present = dict(slaves)
    context = ModbusServerContext(slaves=present, single=False)
    if wire == "serial":
        server = ModbusSerialServer(
            context, port=where, baudrate=115200, parity="N", ignore_missing_slaves=True
        )
    else:
        server = ModbusTcpServer(
            context,
            framer=FramerType.SOCKET if wire == "tcp" else FramerType.RTU,
            address=("127.0.0.1", int(where)),
            ignore_missing_slaves=True,
        )
    await server.serve_forever(background=True)
    port = 0 if wire == "serial" else server.transport.sockets[0].getsockname()[1]
    print("ready", port, flush=True)
    await commands(slaves, present)


asyncio.run(main())
