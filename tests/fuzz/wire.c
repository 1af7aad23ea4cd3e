/*
 * Fuzz target of what a client of a socket says by telnet and by WebSocket (src/backend/chr/wire.h).
 *
 * Input      a byte: telnet, WebSocket with a sound request in front, or WebSocket from its first byte on; then what the client says.
 */
#include "backend/chr/wire.h"
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);

static const char request[] =
    "GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n";

static void say(int fd, const void *p, size_t len)
{
	if (send(fd, p, len, MSG_NOSIGNAL) != (ssize_t)len)
		abort(); /* the socket takes more than the longest input */
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	struct wire w;
	int pair[2];
	char buf[300];
	if (!len)
		return 0;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair))
		abort();
	if (data[0] % 3 == 1)
		say(pair[1], request, sizeof(request) - 1);
	say(pair[1], data + 1, len - 1);
	shutdown(pair[1], SHUT_WR);
	int room = 16 << 20; /* nobody reads the answers */
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room));
	struct wire_options o = { .kind = data[0] % 3 ? WIRE_WEBSOCKET : WIRE_TELNET, .server = true };
	struct err *e = wire_open(&w, pair[0], &o);
	if (!e) {
		while (wire_read(&w, buf, 1 + data[0] % sizeof(buf)) > 0)
			;
		int r = wire_write(&w, data, len);
		(void)r; /* the client may have gone */
		wire_close(&w);
	}
	err_free(e);
	close(pair[1]);
	return 0;
}
