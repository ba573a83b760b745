/*
 * tests/fuzz/standalone.c - runs a fuzz target over files, where there is no libFuzzer.
 *
 *      build/asan/fuzz/imap_command tests/fuzz/corpus/imap_command crash-1234
 *
 * Arguments are files, or directories whose files are run. Says how many there were; a target that
 * finds something aborts; the last name on stderr is that of the input.
 */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned inputs;

static bool
run_file(const char *path, size_t size)
{
	uint8_t *data = malloc(size ? size : 1);
	FILE *f = fopen(path, "rb");
	bool ok = false;

	if (data && f && fread(data, 1, size, f) == size) {
		fprintf(stderr, "%s\n", path); /* the last one named is the one that aborts */
		LLVMFuzzerTestOneInput(data, size);
		inputs++;
		ok = true;
	} else {
		fprintf(stderr, "%s: cannot read\n", path);
	}
	if (f)
		fclose(f);
	free(data);
	return ok;
}

static bool run_path(const char *path);

static bool
run_directory(const char *path)
{
	struct dirent **entries;
	int n = scandir(path, &entries, NULL, alphasort);
	bool ok = n >= 0;

	for (int i = 0; i < n; i++) {
		char *name;

		if (entries[i]->d_name[0] != '.') {
			if (asprintf(&name, "%s/%s", path, entries[i]->d_name) < 0)
				abort();
			ok = run_path(name) && ok;
			free(name);
		}
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
	return ok;
}

static bool
run_path(const char *path)
{
	struct stat st;

	if (stat(path, &st) != 0) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return false;
	}
	return S_ISDIR(st.st_mode) ? run_directory(path) : run_file(path, (size_t)st.st_size);
}

int
main(int argc, char **argv)
{
	bool ok = true;

	for (int i = 1; i < argc; i++)
		ok = run_path(argv[i]) && ok;
	printf("%u inputs\n", inputs);
	return ok ? 0 : 1;
}
