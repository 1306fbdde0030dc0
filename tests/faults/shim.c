/* Preloaded into a process and its children: makes the N-th call that changes a folder fail, or
 * kills the process there, and shifts the wall clock by what its control page says.
 *
 * CPS_SHIM         file with the control page, shared by all processes
 * CPS_SHIM_FOLDER  calls on paths below it count; none if unset
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct control {
    _Atomic long count;    /* calls so far */
    _Atomic long at;       /* the call that fails; 0: none */
    _Atomic long error;    /* errno that it fails with; 0: the process is killed */
    _Atomic long lasting;  /* 1: all later calls fail too */
    _Atomic long hit;      /* calls that failed */
    _Atomic long offset;   /* seconds that the wall clock is ahead */
    char what[200];        /* the call that failed first */
};

static struct control *control;
static char folder[PATH_MAX];
static size_t length;
static int ready;

static void prepare(void) {
    if (ready) return;
    ready = 1;
    const char *page = getenv("CPS_SHIM"), *below = getenv("CPS_SHIM_FOLDER");
    if (!page) return;
    int descriptor = (int)syscall(SYS_openat, AT_FDCWD, page, O_RDWR | O_CLOEXEC);
    if (descriptor < 0) return;
    void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    syscall(SYS_close, descriptor);
    if (at == MAP_FAILED) return;
    control = at;
    if (below) {
        length = strlen(below);
        memcpy(folder, below, length + 1);
    }
}

static int below(const char *path) {
    return length && strncmp(path, folder, length) == 0 && (path[length] == '/' || !path[length]);
}

static int descriptor_below(int descriptor, char *path) {
    char link[40];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t n = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
    if (n <= 0) return 0;
    path[n] = 0;
    return below(path);
}

static int path_below(int at, const char *path, char *whole) {
    if (!path) return 0;
    if (path[0] == '/') {
        snprintf(whole, PATH_MAX, "%s", path);
        return below(whole);
    }
    char place[PATH_MAX];
    if (at == AT_FDCWD) {
        if (!getcwd(place, sizeof place)) return 0;
    } else {
        descriptor_below(at, place);
    }
    snprintf(whole, PATH_MAX, "%.2000s/%.2000s", place, path);
    return below(whole);
}

/* Counts a call; true if it shall fail, with errno set. */
static int fails(const char *name, const char *path) {
    long number = atomic_fetch_add(&control->count, 1) + 1, at = atomic_load(&control->at);
    if (!at || number < at || (number > at && !atomic_load(&control->lasting))) return 0;
    if (atomic_fetch_add(&control->hit, 1) == 0)
        snprintf(control->what, sizeof control->what, "%s %.150s", name, path + length);
    int error = (int)atomic_load(&control->error);
    if (!error) {
        syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
        for (;;) pause();
    }
    errno = error;
    return 1;
}

static int on_path(const char *name, int at, const char *path) {
    char whole[PATH_MAX];
    prepare();
    return control && length && path_below(at, path, whole) && fails(name, whole);
}

static int on_descriptor(const char *name, int descriptor) {
    char path[PATH_MAX];
    prepare();
    return control && length && descriptor_below(descriptor, path) && fails(name, path);
}

#define NEXT(type, name, ...)                                \
    static type (*next)(__VA_ARGS__);                        \
    if (!next) *(void **)&next = dlsym(RTLD_NEXT, name)

#define CHANGES(flags) ((flags) & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND))

#define OPEN(name)                                                                  \
    int name(const char *path, int flags, ...) {                                    \
        NEXT(int, #name, const char *, int, ...);                                   \
        va_list more;                                                               \
        va_start(more, flags);                                                      \
        mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(more, mode_t) : 0;   \
        va_end(more);                                                               \
        if (CHANGES(flags) && on_path(#name, AT_FDCWD, path)) return -1;            \
        return next(path, flags, mode);                                             \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name)                                                                \
    int name(int at, const char *path, int flags, ...) {                            \
        NEXT(int, #name, int, const char *, int, ...);                              \
        va_list more;                                                               \
        va_start(more, flags);                                                      \
        mode_t mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(more, mode_t) : 0;   \
        va_end(more);                                                               \
        if (CHANGES(flags) && on_path(#name, at, path)) return -1;                  \
        return next(at, path, flags, mode);                                         \
    }
OPENAT(openat)
OPENAT(openat64)

#define ON_DESCRIPTOR(type, name, parameters, types, arguments)  \
    type name parameters {                                       \
        NEXT(type, #name, types);                                \
        if (on_descriptor(#name, fd)) return -1;                 \
        return next arguments;                                   \
    }
#define T(...) __VA_ARGS__
ON_DESCRIPTOR(ssize_t, write, (int fd, const void *b, size_t n), T(int, const void *, size_t), (fd, b, n))
ON_DESCRIPTOR(ssize_t, pwrite, (int fd, const void *b, size_t n, off_t o), T(int, const void *, size_t, off_t), (fd, b, n, o))
ON_DESCRIPTOR(ssize_t, pwrite64, (int fd, const void *b, size_t n, off64_t o), T(int, const void *, size_t, off64_t), (fd, b, n, o))
ON_DESCRIPTOR(ssize_t, writev, (int fd, const struct iovec *v, int n), T(int, const struct iovec *, int), (fd, v, n))
ON_DESCRIPTOR(ssize_t, sendfile, (int fd, int in, off_t *o, size_t n), T(int, int, off_t *, size_t), (fd, in, o, n))
ON_DESCRIPTOR(ssize_t, sendfile64, (int fd, int in, off64_t *o, size_t n), T(int, int, off64_t *, size_t), (fd, in, o, n))
ON_DESCRIPTOR(int, ftruncate, (int fd, off_t n), T(int, off_t), (fd, n))
ON_DESCRIPTOR(int, ftruncate64, (int fd, off64_t n), T(int, off64_t), (fd, n))
ON_DESCRIPTOR(int, fsync, (int fd), T(int), (fd))
ON_DESCRIPTOR(int, fdatasync, (int fd), T(int), (fd))

ssize_t copy_file_range(int in, off64_t *i, int fd, off64_t *o, size_t n, unsigned f) {
    NEXT(ssize_t, "copy_file_range", int, off64_t *, int, off64_t *, size_t, unsigned);
    if (on_descriptor("copy_file_range", fd)) return -1;
    return next(in, i, fd, o, n, f);
}

#define ON_PATH(name, parameters, types, arguments, at, path)   \
    int name parameters {                                       \
        NEXT(int, #name, types);                                \
        if (on_path(#name, at, path)) return -1;                \
        return next arguments;                                  \
    }
ON_PATH(rename, (const char *a, const char *b), T(const char *, const char *), (a, b), AT_FDCWD, b)
ON_PATH(renameat, (int x, const char *a, int y, const char *b), T(int, const char *, int, const char *), (x, a, y, b), y, b)
ON_PATH(renameat2, (int x, const char *a, int y, const char *b, unsigned f), T(int, const char *, int, const char *, unsigned), (x, a, y, b, f), y, b)
ON_PATH(link, (const char *a, const char *b), T(const char *, const char *), (a, b), AT_FDCWD, b)
ON_PATH(linkat, (int x, const char *a, int y, const char *b, int f), T(int, const char *, int, const char *, int), (x, a, y, b, f), y, b)
ON_PATH(symlink, (const char *a, const char *b), T(const char *, const char *), (a, b), AT_FDCWD, b)
ON_PATH(symlinkat, (const char *a, int y, const char *b), T(const char *, int, const char *), (a, y, b), y, b)
ON_PATH(mkdir, (const char *a, mode_t m), T(const char *, mode_t), (a, m), AT_FDCWD, a)
ON_PATH(mkdirat, (int y, const char *a, mode_t m), T(int, const char *, mode_t), (y, a, m), y, a)
ON_PATH(unlink, (const char *a), T(const char *), (a), AT_FDCWD, a)
ON_PATH(unlinkat, (int y, const char *a, int f), T(int, const char *, int), (y, a, f), y, a)
ON_PATH(rmdir, (const char *a), T(const char *), (a), AT_FDCWD, a)

static long ahead(void) {
    prepare();
    return control ? atomic_load(&control->offset) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *at) {
    NEXT(int, "clock_gettime", clockid_t, struct timespec *);
    int answer = next(clock, at);
    if (answer == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) at->tv_sec += ahead();
    return answer;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    NEXT(int, "gettimeofday", struct timeval *, void *);
    int answer = next(at, zone);
    if (answer == 0) at->tv_sec += ahead();
    return answer;
}

time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
