"""A receiver with python3-hl7's own server: hl7_receiver.py PORT. Prints "ready", then each message it got as a JSON
string. It is no test."""
import asyncio
import json
import sys

from hl7.mllp import start_hl7_server


async def process(reader, writer):
    while not writer.is_closing():
        try:
            message = await reader.readmessage()
        except asyncio.IncompleteReadError:
            break
        print(json.dumps(str(message)), flush=True)
        writer.writemessage(message.create_ack())
        await writer.drain()


async def main(port):
    server = await start_hl7_server(process, "127.0.0.1", port, encoding="latin-1")  # as MSH-18 of the tests' orders, which is empty
    print("ready", flush=True)
    async with server:
        await server.serve_forever()

asyncio.run(main(int(sys.argv[1])))
