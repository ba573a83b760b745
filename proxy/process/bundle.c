/*
 * process/bundle.c - files of a configuration over a channel: as many a message as it has room for.
 *
 * Descriptors, not names, cross the line: the receiver finds a file by the name that the configuration's text has for it,
 * and cannot open another.
 */
#include "process/bundle.h"

#define BATCH_BYTES ((size_t)32768)
_Static_assert(BATCH_BYTES <= IPC_PAYLOAD_MAX, "a batch is one message");

bool
bundle_wants(enum role role, enum config_file_kind kind)
{
	switch (kind) {
	case CONFIG_FILE_TEXT:
	case CONFIG_FILE_STORE_CA:
		return true;
	case CONFIG_FILE_TLS_KEY:
		return role == ROLE_WORKER;
	case CONFIG_FILE_LOOKUP:
	case CONFIG_FILE_SECRET:
		return role == ROLE_DIRECTORY;
	}
	return false;
}

int
bundle_send(struct ipc *ipc, enum role role, const struct config_files *files)
{
	char memory[BATCH_BYTES];
	int fds[IPC_FDS_MAX], fd, sent = 0;
	unsigned n = 0;
	enum config_file_kind kind;
	const char *path;
	struct pack k;

	pack_init(&k, memory, sizeof(memory));
	for (size_t i = 0; (path = config_files_at(files, i, &kind, &fd)); i++) {
		size_t need = 1 + 4 + strlen(path);

		if (!bundle_wants(role, kind))
			continue;
		if (n == IPC_FDS_MAX || need > k.size - k.len) {
			if (ipc_send(ipc, MSG_FILES, pack_done(&k), fds, n) < 0)
				return -1;
			pack_init(&k, memory, sizeof(memory));
			n = 0;
		}
		pack_u8(&k, (uint8_t)kind);
		pack_cstr(&k, path);
		if (k.overflow)
			return -1;
		fds[n++] = fd;
		sent++;
	}
	if (n > 0 && ipc_send(ipc, MSG_FILES, pack_done(&k), fds, n) < 0)
		return -1;
	return sent;
}

int
bundle_take(struct config_files *files, enum role role, struct ipc_message *m, struct err *err)
{
	struct unpack u;
	unsigned n = 0;

	unpack_init(&u, m->payload);
	while (u.left > 0 && !u.bad) {
		uint8_t kind = unpack_u8(&u);
		char path[INHERIT_PATH_MAX];

		unpack_cstr(&u, path, sizeof(path));
		if (u.bad || kind > CONFIG_FILE_SECRET || n >= m->n_fds)
			return err_set(err, "malformed list of files");
		if (!bundle_wants(role, (enum config_file_kind)kind))
			return err_set(err, "%s: no file for a %s", path, role_name(role));
		if (!config_files_add(
			files, (enum config_file_kind)kind, path, message_take_fd(m, n)))
			return err_set(err, "%s: too many files, or out of memory", path);
		n++;
	}
	if (!unpack_ok(&u) || n != m->n_fds)
		return err_set(err, "malformed list of files");
	return (int)n;
}
