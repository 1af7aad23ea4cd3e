/* vvfat: names of 8.3 characters, and the entries that hold longer ones. */
#include "block/format/utf16.h"
#include "block/transport/vvfat/vvfat.h"
#include <ctype.h>
#include <stdio.h>

enum { UNITS = 13, LAST = 0x40 };
static const u8 unit_at[UNITS] = { 1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30 };

u8 name_sum(const u8 name[11])
{
	u8 sum = 0;
	for (unsigned i = 0; i < 11; i++)
		sum = (sum >> 1 | sum << 7) + name[i];
	return sum;
}

static bool short_char(u8 c)
{
	return isupper(c) || isdigit(c) || (c && strchr("!#$%&'()-@^_`{}~", c));
}

/* Upper case, what is not allowed replaced; true when nothing had to change. */
static bool put_part(const char *text, size_t len, u8 *out, size_t max)
{
	bool same = len <= max;
	size_t n = 0;
	for (size_t i = 0; i < len && n < max; i++) {
		u8 c = toupper((u8)text[i]);
		if (c == ' ' || c == '.') {
			same = false;
			continue;
		}
		same &= c == (u8)text[i] && short_char(c);
		out[n++] = short_char(c) ? c : '_';
	}
	return same && n;
}

static bool taken(const u8 *dir, size_t n, const u8 name[11])
{
	for (size_t i = 0; i < n; i++)
		if (dir[i * ENTRY + ENTRY_ATTR] != ATTR_LONG && memcmp(dir + i * ENTRY, name, 11) == 0)
			return true;
	return false;
}

/* UTF-8 to UTF-16; broken bytes stand for themselves. Gives the number of units, at most max. */
static size_t to_utf16(const char *text, u16 *out, size_t max)
{
	const u8 *p = (const u8 *)text;
	size_t n = 0;
	while (*p && n < max) {
		unsigned more = *p >= 0xf0 && *p < 0xf5	  ? 3
				: *p >= 0xe0 && *p < 0xf0 ? 2
				: *p >= 0xc2 && *p < 0xe0 ? 1
							  : 0;
		u32 c = more ? *p & (0x3f >> more) : *p;
		for (unsigned i = 1; i <= more; i++) {
			if ((p[i] & 0xc0) != 0x80) {
				more = 0;
				c = *p;
				break;
			}
			c = c << 6 | (p[i] & 0x3f);
		}
		p += more + 1;
		if (c >= 0x10000 && n + 1 < max) {
			out[n++] = 0xd800 + ((c - 0x10000) >> 10);
			c = 0xdc00 + ((c - 0x10000) & 0x3ff);
		}
		out[n++] = c;
	}
	return n;
}

void name_make_short(const char *name, const u8 *dir, size_t n, u8 ret[11], unsigned *ret_long)
{
	u16 units[NAME_MAX_16];
	const char *dot = strrchr(name, '.');
	size_t len = dot && dot != name ? (size_t)(dot - name) : strlen(name);
	memset(ret, ' ', 11);
	bool same = put_part(name, len, ret, 8);
	if (dot && dot != name)
		same &= put_part(dot + 1, strlen(dot + 1), ret + 8, 3);
	*ret_long = 0;
	if (same && !taken(dir, n, ret))
		return;
	*ret_long = (to_utf16(name, units, NAME_MAX_16) + UNITS - 1) / UNITS;
	u8 stem[8];
	memcpy(stem, ret, 8);
	for (unsigned i = n + 1;; i++) {
		char tail[10];
		size_t t = snprintf(tail, sizeof(tail), "~%u", i % 1000000), keep = 0;
		while (keep < 8 - t && stem[keep] != ' ')
			keep++;
		memset(ret, ' ', 8);
		memcpy(ret, stem, keep);
		memcpy(ret + keep, tail, t);
		if (!taken(dir, n, ret))
			return;
	}
}

void name_put_long(const char *name, unsigned n, u8 sum, u8 *out)
{
	u16 units[NAME_MAX_16];
	size_t len = to_utf16(name, units, NAME_MAX_16);
	for (unsigned part = n; part; part--, out += ENTRY) {
		memset(out, 0, ENTRY);
		out[0] = part | (part == n ? LAST : 0);
		out[ENTRY_ATTR] = ATTR_LONG;
		out[13] = sum;
		for (unsigned i = 0; i < UNITS; i++) {
			size_t at = (part - 1) * UNITS + i;
			st_le16(out + unit_at[i], at < len ? units[at] : at == len ? 0 : 0xffff);
		}
	}
}

/* The long name, when its parts are in order and belong to this entry. */
static char *long_name(const u8 *entry, const u8 *longs, unsigned n)
{
	u8 units[(NAME_MAX_16 + UNITS) * 2];
	if (!n || n > (NAME_MAX_16 + UNITS - 1) / UNITS || longs[0] != (n | LAST))
		return NULL;
	for (unsigned i = 0; i < n; i++) {
		const u8 *l = longs + i * ENTRY;
		unsigned part = n - 1 - i;
		if ((l[0] & 0x3f) != part + 1 || l[13] != name_sum(entry))
			return NULL;
		for (unsigned k = 0; k < UNITS; k++)
			memcpy(units + (part * UNITS + k) * 2, l + unit_at[k], 2);
	}
	return utf16_text(units, n * UNITS, false, false);
}

static char *short_name(const u8 *entry)
{
	char name[13];
	unsigned n = 0;
	for (unsigned i = 0; i < 11; i++) {
		if (i == 8 && entry[8] != ' ')
			name[n++] = '.';
		/* Two bits say that stem or extension is meant in small letters. */
		bool small = entry[12] & (i < 8 ? 8 : 16);
		u8 c = !i && entry[0] == 5 ? 0xe5 : entry[i];
		if (c != ' ')
			name[n++] = small ? tolower(c) : c;
	}
	name[n] = 0;
	return str_dup(name);
}

char *name_of_entry(const u8 *entry, const u8 *longs, unsigned n_long)
{
	char *name = long_name(entry, longs, n_long);
	if (!name)
		name = short_name(entry);
	bool ok = *name && strlen(name) <= NAME_MAX_16 && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
	for (const char *p = name; *p && ok; p++)
		ok = *p != '/' && (u8)*p >= ' ';
	if (ok)
		return name;
	free(name);
	return NULL;
}
