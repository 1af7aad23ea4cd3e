#!/usr/bin/env python3
"""Makes an image in a format that nothing here writes. make_images.py FORMAT RAW OUT: OUT shows what the file RAW holds
(a multiple of 64 KiB). Formats: bochs cloop dmg sesparse."""
import base64
import bz2
import struct
import sys
import zlib

SECTOR = 512


def pieces(data, size):
    return [data[i:i + size] for i in range(0, len(data), size)]


def bochs(data, out):
    extent, bitmap = 65536, 512
    parts = pieces(data, extent)
    head = bytearray(512)
    for at, text in ((0, b'Bochs Virtual HD Image'), (32, b'Redolog'), (48, b'Growing')):
        head[at:at + len(text)] = text
    struct.pack_into('<6IQ', head, 64, 0x20000, 512, len(parts), bitmap, extent, 0, len(data))
    catalog, body = [], b''
    for p in parts:
        if not any(p):
            catalog.append(0xffffffff)
            continue
        catalog.append(len(body) // (extent + bitmap))
        bits = bytearray(bitmap)
        for i, s in enumerate(pieces(p, SECTOR)):
            bits[i // 8] |= bool(any(s)) << i % 8
        body += bytes(bits) + p
    out.write(bytes(head) + struct.pack(f'<{len(catalog)}I', *catalog) + body)


def cloop(data, out):
    script = b'#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 /dev/cloop $1\n'
    packed = [zlib.compress(p) for p in pieces(data, 65536)]
    at, offsets = 136 + 8 * (len(packed) + 1), []
    for p in packed + [b'']:
        offsets.append(at)
        at += len(p)
    out.write(script.ljust(128, b'\0') + struct.pack(f'>2I{len(offsets)}Q', 65536, len(packed), *offsets) + b''.join(packed))


def dmg(data, out):
    kinds = [(1, lambda p: p), (0x80000005, zlib.compress), (0x80000006, bz2.compress)]
    body, rows = b'', b''
    parts = pieces(data, 65536)
    for i, p in enumerate(parts):
        kind, pack = kinds[i % 3] if any(p) else (0, lambda p: b'')
        text = pack(p)
        rows += struct.pack('>2I4Q', kind, 0, i * 128, 128, len(body), len(text))
        body += text
    rows += struct.pack('>2I4Q', 0xffffffff, 0, len(parts) * 128, 0, len(body), 0)
    mish = bytearray(204)
    mish[:4] = b'mish'
    struct.pack_into('>I3Q', mish, 4, 1, 0, len(data) // SECTOR, 0)
    struct.pack_into('>I', mish, 200, len(parts) + 1)
    xml = ('<?xml version="1.0"?><plist version="1.0"><dict><key>resource-fork</key><dict><key>blkx</key><array><dict>'
           f'<key>Data</key><data>\n{base64.b64encode(bytes(mish) + rows).decode()}\n</data>'
           '</dict></array></dict></dict></plist>').encode()
    tail = bytearray(512)
    tail[:4] = b'koly'
    struct.pack_into('>2I', tail, 4, 4, 512)
    struct.pack_into('>2Q', tail, 24, 0, len(body))
    struct.pack_into('>2I', tail, 56, 1, 1)
    struct.pack_into('>2Q', tail, 216, len(body), len(xml))
    struct.pack_into('>Q', tail, 492, len(data) // SECTOR)
    out.write(body + xml + bytes(tail))


def sesparse(data, out):
    """Grains lie in the opposite order of the disk; those that are zero are said to be so in two ways."""
    grain, per_table = 4096, 4096
    parts = pieces(data, grain)
    tables = -(-len(parts) // per_table)
    here = [i for i, p in enumerate(parts) if any(p)][::-1]
    place = {i: n for n, i in enumerate(here)}
    volatile, directory, first = 1, 8, 16
    grains = first + tables * 64
    head = bytearray(512)
    fields = [0xcafebabe, 0x200000001, len(data) // SECTOR, grain // SECTOR, 64, 0, 0, 0, 0, 0, volatile, 1, 2, 1, 3, 1,
              directory, 8, first, tables * 64, 0, 0, 0, 0, grains, len(here) * 8]
    struct.pack_into(f'<{len(fields)}Q', head, 0, *fields)
    entries = [3 << 60 | (place[i] & 0xfff) << 48 | place[i] >> 12 if i in place else (i % 2) << 61 for i in range(len(parts))]
    entries += [0] * (tables * per_table - len(entries))
    file = bytearray(grains * SECTOR)
    file[:512] = head
    struct.pack_into('<4Q', file, volatile * SECTOR, 0xcafecafe, 0, 0, 0)
    struct.pack_into(f'<{tables}Q', file, directory * SECTOR, *(1 << 60 | i for i in range(tables)))
    struct.pack_into(f'<{len(entries)}Q', file, first * SECTOR, *entries)
    name = out.name.rsplit('/', 1)[-1] + '.extent'
    with open(out.name + '.extent', 'wb') as f:
        f.write(bytes(file) + b''.join(parts[i] for i in here))
    out.write(('# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\ncreateType="seSparse"\n\n'
               f'# Extent description\nRW {len(data) // SECTOR} SESPARSE "{name}"\n\n# The Disk Data Base\n#DDB\n\n'
               'ddb.virtualHWVersion = "4"\nddb.geometry.cylinders = "8"\nddb.geometry.heads = "16"\nddb.geometry.sectors = "63"\n'
               'ddb.adapterType = "ide"\n').encode())


with open(sys.argv[2], 'rb') as source, open(sys.argv[3], 'wb') as target:
    {'bochs': bochs, 'cloop': cloop, 'dmg': dmg, 'sesparse': sesparse}[sys.argv[1]](source.read(), target)
