/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/str.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void grow(struct str *s, size_t more)
{
	size_t room = s->room ? s->room : 256;

	while (room < s->size + more + 1)
		room *= 2;
	if (room == s->room)
		return;
	s->data = realloc(s->data, room);
	if (!s->data) {
		fprintf(stderr, "holm: out of memory\n");
		abort();
	}
	s->room = room;
}

void str_add_bytes(struct str *s, const void *data, size_t size)
{
	grow(s, size);
	memcpy(s->data + s->size, data, size);
	s->size += size;
	s->data[s->size] = 0;
}

void str_add(struct str *s, const char *text)
{
	str_add_bytes(s, text, strlen(text));
}

void str_addf(struct str *s, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(NULL, 0, format, args);
	va_end(args);
	grow(s, n);
	va_start(args, format);
	vsnprintf(s->data + s->size, n + 1, format, args);
	va_end(args);
	s->size += n;
}

const char *str_peek(const struct str *s)
{
	return s->data ? s->data : "";
}

char *str_steal(struct str *s)
{
	grow(s, 0);
	s->data[s->size] = 0;
	s->size = s->room = 0;
	return take_ptr(&s->data);
}

void str_release(struct str *s)
{
	free(s->data);
	*s = STR_INIT;
}

const char *str_after(const char *s, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(s, prefix, n) ? NULL : s + n;
}

/* Digits of base up to a byte that is none of them: the value, and where it stopped. */
static int read_digits(const char *s, uint64_t *ret, const char **ret_end)
{
	uint64_t value = 0;
	const char *p = s;

	for (; *p >= '0' && *p <= '9'; p++)
		if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *p - '0', &value))
			return -ERANGE;
	if (p == s)
		return -EINVAL;
	*ret = value;
	*ret_end = p;
	return 0;
}

int parse_u64(const char *s, uint64_t min, uint64_t max, uint64_t *ret)
{
	const char *end;
	uint64_t value;
	int r = read_digits(s, &value, &end);

	if (r)
		return r;
	if (*end)
		return -EINVAL;
	if (value < min || value > max)
		return -ERANGE;
	*ret = value;
	return 0;
}

int parse_i64(const char *s, int64_t min, int64_t max, int64_t *ret)
{
	bool negative = *s == '-';
	const char *end;
	uint64_t value;
	int64_t result;
	int r = read_digits(s + negative, &value, &end);

	if (r)
		return r;
	if (*end)
		return -EINVAL;
	if (value > (uint64_t)INT64_MAX + negative)
		return -ERANGE;
	result = negative ? (int64_t)(0 - value) : (int64_t)value;
	if (result < min || result > max)
		return -ERANGE;
	*ret = result;
	return 0;
}

const char *str_decimal(uint64_t n, char buffer[DECIMAL_SIZE])
{
	char *p = buffer + DECIMAL_SIZE - 1;

	*p = 0;
	do
		*--p = (char)('0' + n % 10);
	while (n /= 10);
	return p;
}

/* "12", "1.5": a decimal number without sign; the unit begins at *ret_end. */
static int read_decimal(const char *s, double *ret, const char **ret_end)
{
	uint64_t whole;
	const char *p;
	double scale = 0.1;
	int r = read_digits(s, &whole, &p);

	if (r)
		return r;
	*ret = whole;
	if (*p == '.') {
		if (p[1] < '0' || p[1] > '9')
			return -EINVAL;
		for (p++; *p >= '0' && *p <= '9'; p++, scale /= 10)
			*ret += (*p - '0') * scale;
	}
	*ret_end = p;
	return 0;
}

int parse_size(const char *s, bool minus_one, int64_t *ret)
{
	static const char units[] = "bkmgtp";
	const char *p, *unit;
	uint64_t whole;
	double value;
	int r;

	if (minus_one && str_equal(s, "-1")) {
		*ret = -1;
		return 0;
	}
	if (!parse_u64(s, 0, INT64_MAX, &whole)) { /* exact where a double would round */
		*ret = whole;
		return 0;
	}
	r = read_decimal(s, &value, &p);
	if (r)
		return r;
	if (*p == ' ')
		p++;
	unit = *p ? strchr(units, *p | 0x20) : units;
	if (!unit)
		return -EINVAL;
	if (*p)
		p++;
	if (unit != units) {
		if (*p == 'i' || *p == 'I') {
			if (p[1] != 'B' && p[1] != 'b')
				return -EINVAL;
			p += 2;
		} else if (*p == 'B' || *p == 'b') {
			p++;
		}
	}
	if (*p)
		return -EINVAL;
	value = ldexp(value, 10 * (int)(unit - units));
	if (value >= 9223372036854775807.0)
		return -ERANGE;
	*ret = (int64_t)value;
	return 0;
}

int parse_duration(const char *s, int64_t *ret)
{
	static const struct {
		const char *name;
		double factor;
	} units[] = {{"", 1e9},	 {"ns", 1},   {"us", 1e3},   {"ms", 1e6},
		     {"s", 1e9}, {"m", 60e9}, {"h", 3600e9}, {"d", 86400e9}};
	const char *p;
	double value;
	int r = read_decimal(s, &value, &p);

	if (r)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (str_equal(p, units[i].name)) {
			value *= units[i].factor;
			if (value >= 9e18)
				return -ERANGE;
			*ret = (int64_t)value;
			return 0;
		}
	return -EINVAL;
}

/* Levenshtein distance of two short words; big when either is long. */
static size_t distance(const char *a, const char *b)
{
	size_t n = strlen(b), row[64];

	if (n >= ARRAY_SIZE(row))
		return SIZE_MAX;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		size_t corner = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < n; j++) {
			size_t up = row[j + 1], best = corner + (a[i] != b[j]);

			if (up + 1 < best)
				best = up + 1;
			if (row[j] + 1 < best)
				best = row[j] + 1;
			corner = up;
			row[j + 1] = best;
		}
	}
	return row[n];
}

const char *str_closest(const char *word, const char *const *names, size_t n)
{
	size_t best = strlen(word) / 3 + 1;
	const char *found = NULL;

	for (size_t i = 0; i < n; i++) {
		size_t d = names[i] ? distance(word, names[i]) : SIZE_MAX;

		if (d <= best && (!found || d < best)) {
			best = d;
			found = names[i];
		}
	}
	return found;
}

void str_make_printable(char *s)
{
	for (unsigned char *p = (unsigned char *)s; *p; p++)
		if (*p < ' ' || *p == 0x7f)
			*p = '?';
		else if (*p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f) /* U+0080 to U+009F: C1, such as CSI */
			p[0] = p[1] = '?', p++;
}

bool str_is_id(const char *s)
{
	size_t n = strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+.-");

	return n && !s[n] && n <= 255 && !str_equal(s, ".") && !str_equal(s, "..");
}
