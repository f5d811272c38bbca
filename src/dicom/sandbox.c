/* src/dicom/sandbox.c: see sandbox.h. */
#define _GNU_SOURCE
#include "dicom/sandbox.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static void limit(int what, rlim_t max)
{
    struct rlimit l = {max, max};
    setrlimit(what, &l);
}

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif

static const int allowed[] = {
    SYS_read,
    SYS_write,
    SYS_readv,
    SYS_writev,
    SYS_recvfrom,
    SYS_sendto,
    SYS_recvmsg,
    SYS_sendmsg,
    SYS_shutdown,
    SYS_close,
    SYS_fcntl,
    SYS_fstat,
    SYS_lseek,
    SYS_ioctl,
    SYS_ppoll,
    SYS_pselect6,
    SYS_mmap,
    SYS_munmap,
    SYS_mremap,
    SYS_madvise,
    SYS_brk,
    SYS_futex,
    SYS_clock_gettime,
    SYS_clock_nanosleep,
    SYS_nanosleep,
    SYS_gettimeofday,
    SYS_rt_sigaction,
    SYS_rt_sigprocmask,
    SYS_rt_sigreturn,
    SYS_sigaltstack,
    SYS_exit,
    SYS_exit_group,
    SYS_getpid,
    SYS_gettid,
    SYS_tgkill,
    SYS_setitimer,
    SYS_getsockopt,
    SYS_setsockopt,
    SYS_getpeername,
    SYS_getsockname,
    SYS_getrandom,
    SYS_sched_yield,
    SYS_restart_syscall,
#ifdef SYS_poll
    SYS_poll,
    SYS_select,
    SYS_time,
    SYS_alarm,
#endif
};

static const int connecting[] = {SYS_socket, SYS_connect};

static void filter(bool connects)
{
#ifdef ARCH
    enum { N = sizeof allowed / sizeof *allowed, M = sizeof connecting / sizeof *connecting };
    struct sock_filter f[(N + M) * 2 + 12];
    unsigned short n = 0;
    f[n++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0);
    f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    f[n++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (int i = 0; i < N + (connects ? M : 0); i++) {
        int call = i < N ? allowed[i] : connecting[i - N];
        f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 1);
        f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    }
    f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_execve, 0, 1);
    f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    f[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    struct sock_fprog p = {n, f};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p)) {
        fprintf(stderr, "<3>spoed-dicom: the system call filter cannot be installed\n");
        _exit(70);
    }
#endif
}

static void enter(unsigned cpu_seconds, bool connects)
{
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_FSIZE, 0);
    if (cpu_seconds) limit(RLIMIT_CPU, cpu_seconds);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    if (SANITIZED) return;
    limit(RLIMIT_AS, (rlim_t)512 << 20);
    /* 0 to 2 are taken: no new file; poll fails with a limit below its count */
    limit(RLIMIT_NOFILE, connects ? 4 : 3);
    filter(connects);
}

void spd_sandbox_enter(unsigned cpu_seconds)
{
    enter(cpu_seconds, false);
}

void spd_sandbox_enter_connecting(void)
{
    enter(0, true);
}
