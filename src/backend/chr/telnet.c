/* Telnet (RFC 854, RFC 856 to 858): commands are taken out of what comes, and 255 is doubled in what goes. */
#include "backend/chr/wire.h"

enum { SE = 240, SB = 250, WILL = 251, DO = 253, DONT = 254, IAC = 255 };
enum { BINARY = 0, ECHO = 1, SUPPRESS_GO_AHEAD = 3 };

int telnet_greet(struct wire *w)
{
	/* Characters one by one, eight bits, and the other side does not show them itself. */
	static const u8 words[] = { IAC, WILL, ECHO,   IAC, WILL, SUPPRESS_GO_AHEAD,
				    IAC, WILL, BINARY, IAC, DO,	  BINARY };
	return chan_write(&w->chan, words, sizeof(words), (struct iovs){ 0 });
}

/* A byte of a command; true when it is the last. A doubled 255 is a byte of the text: *ret. */
static bool add_to_command(struct wire *w, u8 byte, int *ret)
{
	u8 first = w->command[0];
	*ret = -1;
	if (!w->n_command) {
		w->command[w->n_command++] = byte;
		if (byte == IAC)
			*ret = IAC;
		return byte < SB || byte == IAC;
	}
	if (first != SB)
		return true; /* the option of WILL, WONT, DO, DONT: none is answered, all were said first */
	bool last = w->command[1] == IAC && byte == SE;
	w->command[1] = byte == IAC && w->command[1] == IAC ? 0 : byte;
	return last;
}

size_t telnet_strip(struct wire *w, u8 *buf, size_t n)
{
	size_t to = 0;
	for (size_t i = 0; i < n; i++) {
		int text = -1;
		if (!w->mid_command && buf[i] == IAC) {
			w->mid_command = true;
			w->n_command = w->command[0] = w->command[1] = 0;
		} else if (w->mid_command) {
			w->mid_command = !add_to_command(w, buf[i], &text);
			if (text >= 0)
				buf[to++] = text;
		} else {
			buf[to++] = buf[i];
		}
	}
	return to;
}

int telnet_write(struct wire *w, const u8 *buf, size_t len)
{
	static const u8 again[] = { IAC };
	struct iovec v;
	size_t head = 0; /* the second 255 of the piece before */
	int r = 0;
	while (!r && (len || head)) {
		const u8 *special = memchr(buf, IAC, len);
		size_t n = special ? (size_t)(special - buf) + 1 : len;
		r = chan_write(&w->chan, again, head, iovs_one(&v, buf, n));
		head = special ? 1 : 0;
		buf += n;
		len -= n;
	}
	return r;
}
