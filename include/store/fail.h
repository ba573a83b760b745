/*
 * store/fail.h - every way a login can fail, in one table: from it follow the log line, whether another store is tried,
 * and what the client is told (RFC 5530 codes). An outage never looks like a wrong password.
 */
#ifndef STORE_FAIL_H
#define STORE_FAIL_H

#include <stdbool.h>

/*
 *      id, name in the log, retry, response to the client
 *
 * retry: another candidate may be tried. The response is what stands behind "tag NO ".
 */
#define FAIL_UNAVAILABLE_TEXT "[UNAVAILABLE] The mail store is temporarily unavailable."
#define FAIL_CREDENTIALS_TEXT "[AUTHENTICATIONFAILED] Authentication failed."
#define FAILURES(X)                                                                                \
	X(NONE, "none", false, "[SERVERBUG] Internal error.")                                      \
	/* who the client says it is */                                                            \
	X(CREDENTIALS, "credentials", false, FAIL_CREDENTIALS_TEXT) /* the store said so */        \
	X(UNKNOWN_USER, "unknown-user", false,                                                     \
	    FAIL_CREDENTIALS_TEXT)                            /* no route knows the name */        \
	X(BAD_NAME, "bad-name", false, FAIL_CREDENTIALS_TEXT) /* a name that cannot be one */      \
	X(AUTHZID, "authorisation-identity", false,                                                \
	    "[AUTHORIZATIONFAILED] Another authorisation identity is not accepted.")               \
	X(STORE_REFUSED, "store-refused", false,                                                   \
	    FAIL_UNAVAILABLE_TEXT) /* NO with a code: its own words are passed on */               \
	/* the way to the store */                                                                 \
	X(CONNECT, "connect", true, FAIL_UNAVAILABLE_TEXT)                                         \
	X(CONNECT_TIMEOUT, "connect-timeout", true, FAIL_UNAVAILABLE_TEXT)                         \
	X(RESOLVE, "resolve", true, FAIL_UNAVAILABLE_TEXT)                                         \
	X(TLS, "store-tls", true, FAIL_UNAVAILABLE_TEXT) /* handshake or verification */           \
	X(NO_STARTTLS, "store-no-starttls", true, FAIL_UNAVAILABLE_TEXT)                           \
	X(INJECTION, "store-starttls-injection", true, FAIL_UNAVAILABLE_TEXT)                      \
	X(PREAUTH, "store-preauth", true, FAIL_UNAVAILABLE_TEXT)                                   \
	X(BYE, "store-bye", true, FAIL_UNAVAILABLE_TEXT)                                           \
	X(NO_MECHANISM, "store-no-mechanism", true,                                                \
	    FAIL_UNAVAILABLE_TEXT) /* LOGINDISABLED, nothing in common */                          \
	X(PROTOCOL, "store-protocol", true,                                                        \
	    FAIL_UNAVAILABLE_TEXT) /* what it sent before credentials is no IMAP */                \
	X(STORE_LIMIT, "store-limit", true,                                                        \
	    FAIL_UNAVAILABLE_TEXT) /* more than our bounds before credentials */                   \
	X(GREETING_TIMEOUT, "store-timeout", true, FAIL_UNAVAILABLE_TEXT)                          \
	X(GONE, "store-gone", true,                                                                \
	    FAIL_UNAVAILABLE_TEXT) /* closed before credentials were sent */                       \
	X(LOGIN_TIMEOUT, "store-login-timeout", false,                                             \
	    FAIL_UNAVAILABLE_TEXT) /* no answer to the login */                                    \
	X(LOGIN_GONE, "store-gone-in-login", false, FAIL_UNAVAILABLE_TEXT)                         \
	X(LOGIN_PROTOCOL, "store-protocol-in-login", false, FAIL_UNAVAILABLE_TEXT)                 \
	/* ourselves */                                                                            \
	X(NO_CANDIDATE, "no-store-left", false, FAIL_UNAVAILABLE_TEXT)                             \
	X(LOOKUP, "lookup", false, FAIL_UNAVAILABLE_TEXT)                                          \
	X(DIRECTORY, "directory", false, FAIL_UNAVAILABLE_TEXT)                                    \
	X(MEMORY, "memory", false, "[UNAVAILABLE] Out of resources, try again later.")             \
	X(INTERNAL, "internal", false, "[SERVERBUG] Internal error.")

enum fail {
#define X(id, name, retry, text) FAIL_##id,
	FAILURES(X)
#undef X
	    FAIL_COUNT
};

const char *fail_name(enum fail f);
bool fail_retry(enum fail f);
const char *fail_response(enum fail f);

#endif
