/*
 * process/rights.h - who a process is and what it may use: users, limits, process flags.
 */
#ifndef PROCESS_RIGHTS_H
#define PROCESS_RIGHTS_H

#include "process/messages.h"

/*
 * Master: who children of `user = @user` are to be (NULL: not set). An ordinary user stays what it is; root must name somebody
 * who is not root. -1 and a reason.
 */
int rights_resolve(const char *user, struct rights *r_r, struct err *err) MUST_CHECK;

/*
 * Child: becomes that for good, without a capability in any set (nor in the bounding set, where it may be emptied), and
 * makes sure of it. -1 and a reason: then it must not go on.
 */
int rights_drop(const struct rights *r, struct err *err) MUST_CHECK;

/* Child: no new privileges, not dumpable, no core. -1 and a reason. */
int rights_lock(struct err *err) MUST_CHECK;

/* Master: as many descriptors as it may have, inherited by all. Returns how many. */
uint64_t rights_raise_files(void);

#endif
