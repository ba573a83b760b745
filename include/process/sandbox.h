/*
 * process/sandbox.h - what the kernel still lets a process do once it has all it needs.
 *
 *      empty root (workers of a root master) -> rights_drop() -> rights_lock() -> ... start ... -> sandbox_enter() -> READY
 *
 * Three fences, each of which holds where another is missing: an empty root directory, Landlock (which files and ports), a
 * seccomp filter (which system calls). A role is named in the tables of sandbox_files.c and sandbox_syscalls.c.
 *
 * There is no switch to leave it out. Builds with sanitizers (SANITIZED) let through what these need for their reports.
 */
#ifndef PROCESS_SANDBOX_H
#define PROCESS_SANDBOX_H

#include "process/messages.h"

/*
 * Child, as root, before rights_drop(): its root becomes a directory that is empty, has no name any more and takes no new
 * file. 1; 0 and a reason: not possible here (no right to, no place for it); -1 and a reason: half done, it must not go on.
 */
int sandbox_empty_root(struct err *err) MUST_CHECK;

/*
 * Child, once: for good. Before it: rights_lock(), everything opened and every library loaded that will be needed, no other
 * thread. What the kernel does not have is left out and said in the log. -1 and a reason: it must not go on.
 */
int sandbox_enter(enum role role, struct err *err) MUST_CHECK;

/*
 * Master, once, when its listeners are open: system calls that neither it nor a child of any role needs, as
 * children inherit it; and it becomes undumpable. -1 and a reason.
 */
int sandbox_master(struct err *err) MUST_CHECK;

/* --- the parts; sandbox_enter() is all of them */

/* Landlock. The version of the kernel's (from 1); 0 and a reason: it has none; -1 and a reason. */
int sandbox_files(enum role role, struct err *err) MUST_CHECK;

/* Seccomp. 1; 0 and a reason: the kernel has none; -1 and a reason. */
int sandbox_syscalls(enum role role, struct err *err) MUST_CHECK;
int sandbox_syscalls_master(struct err *err) MUST_CHECK;

#endif
