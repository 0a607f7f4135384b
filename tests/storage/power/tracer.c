/* SPDX-FileCopyrightText: 2026 The synapse_groupreg authors
 * SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Loaded into a process by LD_PRELOAD, this writes down in the file $POWER_TRACE what the process does to the folder
 * $POWER_FOLDER and what is below it, with the data: a header for each operation that succeeded, then `size` bytes.
 * disk.py reads it. For processes of one thread. Memory maps are not seen: SQLite maps only what it can make anew.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define MOST_FDS 4096
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

struct header {
    int32_t operation;
    int32_t fd;
    int64_t number; /* where a write begins, how long a file was made, the flags of open */
    uint64_t size;
};

static const char *folder;
static size_t folder_length;
static int trace = -1;
static char watched[MOST_FDS];

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("POWER_TRACE");
    folder = getenv("POWER_FOLDER");
    if (path == NULL || folder == NULL)
        return;
    folder_length = strlen(folder);
    trace = REAL(open)(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (trace < 0)
        abort();
}

static int within(const char *path)
{
    if (trace < 0 || strncmp(path, folder, folder_length) != 0)
        return 0;
    return path[folder_length] == '/' || path[folder_length] == '\0';
}

static int seen(int fd)
{
    return fd >= 0 && fd < MOST_FDS && watched[fd];
}

static void note(int operation, int fd, int64_t number, const void *data, size_t size)
{
    int saved = errno;
    struct header header = {operation, fd, number, size};
    struct iovec parts[2] = {{&header, sizeof header}, {(void *)data, size}};
    /* A trace with holes would prove nothing. */
    if (REAL(writev)(trace, parts, 2) != (ssize_t)(sizeof header + size))
        abort();
    errno = saved;
}

static void note_paths(int operation, const char *from, const char *to)
{
    size_t first = strlen(from) + 1, second = strlen(to);
    char *both = malloc(first + second);
    if (both == NULL)
        abort();
    memcpy(both, from, first);
    memcpy(both + first, to, second);
    note(operation, -1, 0, both, first + second);
    free(both);
}

static int opened(int fd, const char *path, int flags)
{
    if (fd >= 0 && within(path)) {
        if (fd >= MOST_FDS)
            abort();
        watched[fd] = 1;
        note('o', fd, flags, path, strlen(path));
    }
    return fd;
}

#define MODE(flags)                            \
    mode_t mode = 0;                           \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {   \
        va_list more;                          \
        va_start(more, flags);                 \
        mode = (mode_t)va_arg(more, unsigned); \
        va_end(more);                          \
    }

int open(const char *path, int flags, ...)
{
    MODE(flags)
    return opened(REAL(open)(path, flags, mode), path, flags);
}

int open64(const char *path, int flags, ...)
{
    MODE(flags)
    return opened(REAL(open64)(path, flags, mode), path, flags);
}

/* A path that is relative to a folder does not begin with ours, and is not seen: the end of the trace then differs
 * from what is there, which the test notices. */
int openat(int at, const char *path, int flags, ...)
{
    MODE(flags)
    return opened(REAL(openat)(at, path, flags, mode), path, flags);
}

int openat64(int at, const char *path, int flags, ...)
{
    MODE(flags)
    return opened(REAL(openat64)(at, path, flags, mode), path, flags);
}

int creat(const char *path, mode_t mode)
{
    return opened(REAL(creat)(path, mode), path, O_WRONLY | O_CREAT | O_TRUNC);
}

int close(int fd)
{
    if (seen(fd)) {
        watched[fd] = 0;
        note('c', fd, 0, NULL, 0);
    }
    return REAL(close)(fd);
}

static ssize_t written(int fd, const void *data, ssize_t count, int64_t offset)
{
    if (count > 0 && seen(fd))
        note('w', fd, offset >= 0 ? offset : lseek(fd, 0, SEEK_CUR) - count, data, (size_t)count);
    return count;
}

ssize_t write(int fd, const void *data, size_t size)
{
    return written(fd, data, REAL(write)(fd, data, size), -1);
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return written(fd, data, REAL(pwrite)(fd, data, size, offset), offset);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    return written(fd, data, REAL(pwrite64)(fd, data, size, offset), offset);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    ssize_t all = 0, one;
    if (!seen(fd))
        return REAL(writev)(fd, parts, count);
    for (int n = 0; n < count; n++) {
        one = write(fd, parts[n].iov_base, parts[n].iov_len);
        if (one < 0)
            return all > 0 ? all : -1;
        all += one;
        if ((size_t)one < parts[n].iov_len)
            break;
    }
    return all;
}

static int done(int result, int operation, int fd, int64_t number)
{
    if (result == 0 && seen(fd))
        note(operation, fd, number, NULL, 0);
    return result;
}

int ftruncate(int fd, off_t length)
{
    return done(REAL(ftruncate)(fd, length), 't', fd, length);
}

int ftruncate64(int fd, off64_t length)
{
    return done(REAL(ftruncate64)(fd, length), 't', fd, length);
}

int fsync(int fd)
{
    return done(REAL(fsync)(fd), 's', fd, 0);
}

int fdatasync(int fd)
{
    return done(REAL(fdatasync)(fd), 's', fd, 0);
}

int rename(const char *from, const char *to)
{
    int result = REAL(rename)(from, to);
    if (result == 0 && within(from))
        note_paths('r', from, to);
    return result;
}

int link(const char *from, const char *to)
{
    int result = REAL(link)(from, to);
    if (result == 0 && within(to))
        note_paths('l', from, to);
    return result;
}

static int named(int result, int operation, const char *path)
{
    if (result == 0 && within(path))
        note(operation, -1, 0, path, strlen(path));
    return result;
}

int unlink(const char *path)
{
    return named(REAL(unlink)(path), 'u', path);
}

int rmdir(const char *path)
{
    return named(REAL(rmdir)(path), 'u', path);
}

int mkdir(const char *path, mode_t mode)
{
    return named(REAL(mkdir)(path, mode), 'm', path);
}
