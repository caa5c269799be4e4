/*
 * Preloaded into wrk, so that it never sleeps while it waits for answers.
 *
 * A server that answers more slowly than wrk asks finds it asleep, and then each of its send() pays for
 * waking it: an interrupt to the other core and, in a virtual machine, leaving that for the hypervisor.
 * A server that is faster never pays. What is to be measured is the server, not the bed of its client.
 */
#include <stddef.h>
#include <sys/epoll.h>
#include <time.h>

static long long milliseconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

int epoll_wait(int fd, struct epoll_event *events, int size, int timeout)
{
    long long end = milliseconds() + timeout;
    int count;

    do {
        /* The same system call by another name, which is not replaced here. */
        count = epoll_pwait(fd, events, size, 0, NULL);
    } while (count == 0 && (timeout < 0 || milliseconds() < end));
    return count;
}
