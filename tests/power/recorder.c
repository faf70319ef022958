/* Records what its process does to the files below one directory: enough to rebuild what a power loss may leave.

   Preloaded into the fork server. Each record is a head and its bytes, appended to the trace while the operation is
   done under one lock, so that the order in the trace is the order on the disk. Marks of the workload (a caller has its
   value) stand in the same order. What is written through a mapping (the index of the WAL) is not seen; it is never
   durable. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

struct head {
    uint64_t kind, inode, at, first, second;
};

static char folder[PATH_MAX];
static size_t folder_length;
static int trace = -1;
static pthread_mutex_t order = PTHREAD_MUTEX_INITIALIZER;

static void put(char kind, uint64_t inode, uint64_t at, const void *first, size_t first_size, const void *second,
                size_t second_size) {
    struct head head = {(uint64_t)kind, inode, at, first_size, second_size};
    struct iovec parts[3] = {
        {&head, sizeof head}, {(void *)first, first_size}, {(void *)second, second_size}};
    int kept = errno;
    ssize_t written = syscall(SYS_writev, trace, parts, 3);
    (void)written;
    errno = kept;
}

static int below(const char *path) {
    return folder_length && strncmp(path, folder, folder_length) == 0 && (path[folder_length] == '/' || !path[folder_length]);
}

static const char *relative(const char *path) { return path + folder_length + (path[folder_length] == '/'); }

static void put_name(char kind, uint64_t inode, const char *path, const char *second) {
    const char *to = second ? relative(second) : "";
    put(kind, inode, 0, relative(path), strlen(relative(path)), to, strlen(to));
}

static uint64_t inode_at(const char *path) {
    struct stat status;
    int kept = errno;
    uint64_t found = lstat(path, &status) == 0 ? status.st_ino : 0;
    errno = kept;
    return found;
}

/* The inode behind a descriptor of a file or directory below the folder; 0 for others. */
static uint64_t watched(int descriptor) {
    char link[64], path[PATH_MAX];
    struct stat status;
    int kept = errno;
    ssize_t length;
    if (!folder_length || descriptor == trace)
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    length = readlink(link, path, sizeof path - 1);
    if (length <= 0) {
        errno = kept;
        return 0;
    }
    path[length] = 0;
    length = below(path) && fstat(descriptor, &status) == 0;
    errno = kept;
    return length ? status.st_ino : 0;
}

void power_record(const char *path, const char *to) {
    trace = open(to, O_WRONLY | O_APPEND | O_CREAT, 0600);
    snprintf(folder, sizeof folder, "%s", path);
    folder_length = strlen(folder);
    put_name('D', inode_at(path), path, NULL);
}

void power_mark(const char *text, size_t length) {
    if (!folder_length)
        return;
    pthread_mutex_lock(&order);
    put('M', 0, 0, text, length, "", 0);
    pthread_mutex_unlock(&order);
}

void power_end(void) { folder_length = 0; }

#define REAL(name) \
    static __typeof__(name) *real; \
    if (!real) real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        REAL(name); \
        mode_t mode = 0; \
        if (flags & (O_CREAT | O_TMPFILE)) { \
            va_list rest; \
            va_start(rest, flags); \
            mode = va_arg(rest, mode_t); \
            va_end(rest); \
        } \
        if (!(flags & (O_CREAT | O_TRUNC)) || !below(path)) \
            return real(path, flags, mode); \
        pthread_mutex_lock(&order); \
        uint64_t before = inode_at(path); \
        int result = real(path, flags, mode); \
        if (result >= 0 && !before) \
            put_name('C', inode_at(path), path, NULL); \
        else if (result >= 0 && (flags & O_TRUNC)) \
            put('T', before, 0, "", 0, "", 0); \
        pthread_mutex_unlock(&order); \
        return result; \
    }

OPEN(open)
OPEN(open64)

#define WRITE(name, parameters, arguments, position) \
    ssize_t name parameters { \
        REAL(name); \
        uint64_t inode = watched(descriptor); \
        if (!inode) \
            return real arguments; \
        pthread_mutex_lock(&order); \
        ssize_t result = real arguments; \
        if (result > 0) \
            put('W', inode, position, data, result, "", 0); \
        pthread_mutex_unlock(&order); \
        return result; \
    }

WRITE(pwrite, (int descriptor, const void *data, size_t size, off_t at), (descriptor, data, size, at), at)
WRITE(pwrite64, (int descriptor, const void *data, size_t size, off64_t at), (descriptor, data, size, at), at)
WRITE(write, (int descriptor, const void *data, size_t size), (descriptor, data, size),
      lseek(descriptor, 0, SEEK_CUR) - result)

#define ON_DESCRIPTOR(name, kind, at, parameters, arguments) \
    int name parameters { \
        REAL(name); \
        uint64_t inode = watched(descriptor); \
        if (!inode) \
            return real arguments; \
        pthread_mutex_lock(&order); \
        int result = real arguments; \
        if (result == 0) \
            put(kind, inode, at, "", 0, "", 0); \
        pthread_mutex_unlock(&order); \
        return result; \
    }

ON_DESCRIPTOR(fsync, 'S', 0, (int descriptor), (descriptor))
ON_DESCRIPTOR(fdatasync, 'S', 0, (int descriptor), (descriptor))
ON_DESCRIPTOR(ftruncate, 'T', size, (int descriptor, off_t size), (descriptor, size))
ON_DESCRIPTOR(ftruncate64, 'T', size, (int descriptor, off64_t size), (descriptor, size))
ON_DESCRIPTOR(posix_fallocate, 'F', at + size, (int descriptor, off_t at, off_t size), (descriptor, at, size))
ON_DESCRIPTOR(posix_fallocate64, 'F', at + size, (int descriptor, off64_t at, off64_t size), (descriptor, at, size))

#define ON_PATH(name, kind, parameters, path, second, looked, arguments) \
    int name parameters { \
        REAL(name); \
        if (!below(path)) \
            return real arguments; \
        pthread_mutex_lock(&order); \
        uint64_t before = inode_at(path); \
        int result = real arguments; \
        if (result == 0) \
            put_name(kind, before ? before : inode_at(looked), path, second); \
        pthread_mutex_unlock(&order); \
        return result; \
    }

ON_PATH(rename, 'R', (const char *from, const char *to), from, to, to, (from, to))
ON_PATH(link, 'L', (const char *from, const char *to), from, to, to, (from, to))
ON_PATH(unlink, 'U', (const char *path), path, NULL, path, (path))
ON_PATH(mkdir, 'D', (const char *path, mode_t mode), path, NULL, path, (path, mode))
ON_PATH(rmdir, 'U', (const char *path), path, NULL, path, (path))
