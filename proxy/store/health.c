/*
 * store/health.c - up, down, on trial: from the outcomes of checks and logins alone.
 *
 * No clock and no I/O: whoever knows the time says it (seconds, monotonic). The directory has one of these for each store,
 * so that all workers go by the same verdict.
 */
#include "store/health.h"

#include <string.h>

#include "base/str.h"

static const char *const states[] = {
	[HEALTH_UP] = "up", [HEALTH_DOWN] = "down", [HEALTH_TRIAL] = "trial"
};
static const char *const admins[] = { [ADMIN_ENABLED] = "enabled",
	[ADMIN_DRAIN] = "drain",
	[ADMIN_DISABLED] = "disabled",
	[ADMIN_MAINTENANCE] = "maintenance" };

const char *
health_state_name(enum health_state s)
{
	return states[s];
}

const char *
health_admin_name(enum health_admin a)
{
	return admins[a];
}

bool
health_admin_parse(const char *word, enum health_admin *admin_r)
{
	for (unsigned i = 0; i < ARRAY_SIZE(admins); i++) {
		if (strcmp(word, admins[i]) == 0) {
			*admin_r = (enum health_admin)i;
			return true;
		}
	}
	return false;
}

bool
fail_is_stores(enum fail f)
{
	switch (f) {
	case FAIL_CONNECT:
	case FAIL_CONNECT_TIMEOUT:
	case FAIL_RESOLVE:
	case FAIL_TLS:
	case FAIL_NO_STARTTLS:
	case FAIL_INJECTION:
	case FAIL_PREAUTH:
	case FAIL_BYE:
	case FAIL_NO_MECHANISM:
	case FAIL_PROTOCOL:
	case FAIL_STORE_LIMIT:
	case FAIL_GREETING_TIMEOUT:
	case FAIL_GONE:
	case FAIL_LOGIN_TIMEOUT:
	case FAIL_LOGIN_GONE:
	case FAIL_LOGIN_PROTOCOL:
		return true;
	case FAIL_NONE:
	case FAIL_CREDENTIALS:
	case FAIL_UNKNOWN_USER:
	case FAIL_BAD_NAME:
	case FAIL_AUTHZID:
	case FAIL_STORE_REFUSED:
	case FAIL_NO_CANDIDATE:
	case FAIL_LOOKUP:
	case FAIL_DIRECTORY:
	case FAIL_MEMORY:
	case FAIL_INTERNAL:
	case FAIL_COUNT:
		return false;
	}
	return false;
}

void
health_init(struct health *h, const struct health_config *config, double now)
{
	memset(h, 0, sizeof(*h));
	health_configure(h, config);
	h->since = now;
	h->pause = HEALTH_PAUSE_FIRST;
}

void
health_configure(struct health *h, const struct health_config *config)
{
	h->config = *config;
	if (h->config.rise == 0)
		h->config.rise = 1;
	if (h->config.fall == 0)
		h->config.fall = 1;
}

static void
enter(struct health *h, enum health_state state, double now)
{
	h->state = state;
	h->since = now;
	h->in_row = 0;
	h->failures = h->n_users = 0;
	h->window_fine = 0;
	h->trial_out = false;
	switch (state) {
	case HEALTH_UP:
		h->pause = HEALTH_PAUSE_FIRST;
		break;
	case HEALTH_DOWN:
		h->retry_at = now + h->pause;
		h->pause = h->pause * 2 < HEALTH_PAUSE_MAX ? h->pause * 2 : HEALTH_PAUSE_MAX;
		break;
	case HEALTH_TRIAL:
		break;
	}
}

static void
note(struct health *h, double now, enum fail fail, const char *stage, const struct err *reason)
{
	h->by_fail[fail]++;
	h->last_at = now;
	h->last_fail = fail;
	(void)str_fmt(h->last_stage, sizeof(h->last_stage), "%s", stage);
	h->last_reason = *reason;
}

bool
health_check(
    struct health *h, double now, enum fail fail, const char *stage, const struct err *reason)
{
	/* A probe user with a wrong password is a mistake of the configuration; the store has answered. */
	bool ok = !fail_is_stores(fail);
	h->checks++;
	if (fail != FAIL_NONE)
		note(h, now, fail, stage, reason);
	if (!ok)
		h->checks_failed++;
	if (h->row_ok != ok || h->in_row == 0) {
		h->row_ok = ok;
		h->in_row = 0;
	}
	h->in_row++;
	switch (h->state) {
	case HEALTH_UP:
		if (ok || h->in_row < h->config.fall)
			return false;
		enter(h, HEALTH_DOWN, now);
		return true;
	case HEALTH_DOWN:
	case HEALTH_TRIAL:
		if (!ok) {
			if (h->state == HEALTH_DOWN)
				return false;
			enter(h, HEALTH_DOWN, now);
			return true;
		}
		if (h->in_row < h->config.rise)
			return false;
		enter(h, HEALTH_UP, now);
		return true;
	}
	return false;
}

static bool
is_new_user(struct health *h, uint64_t user)
{
	for (unsigned i = 0; i < h->n_users; i++)
		if (h->users[i] == user)
			return false;
	return h->n_users < HEALTH_USERS;
}

bool
health_login(struct health *h, double now, enum fail fail, uint64_t user, const char *stage,
    const struct err *reason)
{
	h->logins++;
	if (!fail_is_stores(fail)) { /* the store has answered, whatever it thinks of the user */
		if (h->failures > 0)
			h->window_fine++;
		if (h->state != HEALTH_TRIAL || h->config.checked)
			return false;
		enter(h, HEALTH_UP, now);
		return true;
	}
	h->logins_failed++;
	note(h, now, fail, stage, reason);
	if (h->state == HEALTH_TRIAL) {
		enter(h, HEALTH_DOWN, now);
		return true;
	}
	if (h->state == HEALTH_DOWN)
		return false;
	if (h->failures == 0 || now - h->window > HEALTH_WINDOW) {
		h->window = now;
		h->failures = h->n_users = 0;
		h->window_fine = 0;
	}
	h->failures++;
	if (is_new_user(h, user))
		h->users[h->n_users++] = user;
	if (h->failures < HEALTH_FAILURES || h->n_users < HEALTH_USERS ||
	    h->failures <= h->window_fine)
		return false;
	enter(h, HEALTH_DOWN, now);
	return true;
}

void
health_given_up(struct health *h)
{
	h->trial_out = false;
}

bool
health_tick(struct health *h, double now)
{
	if (h->state != HEALTH_DOWN || now < h->retry_at)
		return false;
	enter(h, HEALTH_TRIAL, now);
	return true;
}

bool
health_would_allow(const struct health *h, double now, bool pinned)
{
	switch (h->admin) {
	case ADMIN_ENABLED:
		break;
	case ADMIN_DRAIN:
		if (!pinned)
			return false;
		break;
	case ADMIN_DISABLED:
	case ADMIN_MAINTENANCE:
		return false;
	}
	switch (h->state) {
	case HEALTH_UP:
		return true;
	case HEALTH_DOWN:
		return false;
	case HEALTH_TRIAL:
		/* Checks decide; without them one login at a time, and one whose outcome never came is forgotten. */
		return !h->config.checked &&
		       !(h->trial_out && now - h->trial_since < HEALTH_WINDOW);
	}
	return false;
}

bool
health_allows(struct health *h, double now, bool pinned)
{
	if (!health_would_allow(h, now, pinned))
		return false;
	if (h->state == HEALTH_TRIAL) {
		h->trial_out = true;
		h->trial_since = now;
	}
	return true;
}
