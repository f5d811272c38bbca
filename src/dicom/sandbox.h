/* src/dicom/sandbox.h: what a process that reads hostile bytes may still do.
 *
 * Limits of reliability §4.4: no core, no new files, 512 MB of memory, seconds of CPU; then a system call
 * filter (seccomp BPF): anything outside the list fails with EPERM, running a program kills. Under the
 * sanitizers memory and filter are off. Not the thread-safe kind: call once, early, single-threaded. */
#ifndef SPD_DICOM_SANDBOX_H
#define SPD_DICOM_SANDBOX_H

#ifdef __cplusplus
extern "C" {
#endif
/* cpu_seconds 0: no limit. Exits with 70 when the filter cannot be installed. */
void spd_sandbox_enter(unsigned cpu_seconds);
/* The same without a limit of CPU time, and with one socket more that may connect. */
void spd_sandbox_enter_connecting(void);
#ifdef __cplusplus
}
#endif
#endif
