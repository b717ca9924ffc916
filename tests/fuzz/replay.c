/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Runs a fuzz target over files or folders of files, so that every finding stays a test where there
 * is no libFuzzer.
 */

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = NULL;
	size_t len = 0;
	long size;

	if (!f || fseek(f, 0, SEEK_END) || (size = ftell(f)) < 0) {
		perror(path);
		return 0;
	}
	rewind(f);
	/* Exactly as large as the input, so that a sanitizer sees the first byte too many. */
	data = malloc((size_t)size ? (size_t)size : 1);
	if (data)
		len = fread(data, 1, (size_t)size, f);
	fclose(f);
	LLVMFuzzerTestOneInput(data, len);
	free(data);
	return 1;
}

static int replay_folder(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	char file[4096];
	int count = 0;

	while (dir && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		count += replay_file(file);
	}
	if (dir)
		closedir(dir);
	return count;
}

int main(int argc, char **argv)
{
	struct stat st;
	int i, count = 0;

	for (i = 1; i < argc; i++) {
		if (!stat(argv[i], &st) && S_ISDIR(st.st_mode))
			count += replay_folder(argv[i]);
		else
			count += replay_file(argv[i]);
	}
	printf("%d inputs\n", count);
	return count ? 0 : 1;
}
