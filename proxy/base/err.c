/*
 * base/err.c - texts of failures. Bounded, cut where too long; never allocates.
 */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int
err_set(struct err *e, const char *fmt, ...)
{
	if (!e)
		return -1;
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	return -1;
}

int
err_errno(struct err *e, int errnum, const char *fmt, ...)
{
	if (!e)
		return -1;
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(e->text)) {
		char text[128];
		/* GNU strerror_r: may or may not use the buffer. */
		const char *s = strerror_r(errnum, text, sizeof(text));
		(void)snprintf(e->text + n, sizeof(e->text) - (size_t)n, ": %s", s);
	}
	return -1;
}

int
err_prefix(struct err *e, const char *fmt, ...)
{
	if (!e)
		return -1;
	struct err old = *e;
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(e->text)) {
		size_t room = sizeof(e->text) - (size_t)n;
		size_t len = strlen(old.text);
		if (len > 0 && room > 3) {
			if (len > room - 3)
				len = room - 3;
			memcpy(e->text + n, ": ", 2);
			memcpy(e->text + n + 2, old.text, len);
			e->text[(size_t)n + 2 + len] = '\0';
		}
	}
	return -1;
}
