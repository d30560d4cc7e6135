/* How long a message is under way to a plain subscriber: what a relay's latency is added to.
 *
 *     cc -O2 -o subscriber subscriber.c && ./subscriber REDIS_PORT SECONDS
 *
 * Subscribes to every channel by one pattern, reads `s2l1 <sender> <number> <time> ` in each payload of
 * status2-load and prints the 50th and the 99th percentile of the time since then, in milliseconds.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 1 << 22 };
static long long spans[MOST];

static long long now(void) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static int by_length(const void *left, const void *right) {
    long long difference = *(const long long *)left - *(const long long *)right;
    return difference < 0 ? -1 : difference > 0;
}

int main(int count, char **arguments) {
    if (count != 3) return 2;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons((unsigned short)atoi(arguments[1]));
    int redis = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(redis, (struct sockaddr *)&address, sizeof address)) return 1;
    static const char subscribe[] = "*2\r\n$10\r\nPSUBSCRIBE\r\n$1\r\n*\r\n";
    if (write(redis, subscribe, sizeof subscribe - 1) < 0) return 1;
    static char bytes[1 << 17];
    size_t held = 0, messages = 0;
    long long end = now() + atoll(arguments[2]) * 1000000000LL;
    struct timeval patience = {.tv_usec = 100000};
    setsockopt(redis, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    while (now() < end && messages < MOST) {
        ssize_t got = read(redis, bytes + held, sizeof bytes - 1 - held);
        if (got <= 0) continue;
        long long instant = now();
        char *at = bytes, *found, *last = bytes;
        bytes[held + (size_t)got] = 0;
        while ((found = strstr(at, "s2l1 ")) && messages < MOST) {
            long long sent;
            char *line = strchr(found, '\n');
            if (!line) break;
            if (sscanf(found, "s2l1 %*8x %*d %lld ", &sent) == 1) spans[messages++] = instant - sent;
            at = last = line;
        }
        held = (size_t)(bytes + held + (size_t)got - last);
        memmove(bytes, last, held);
        if (held > sizeof bytes / 2) held = 0;
    }
    if (!messages) return 1;
    qsort(spans, messages, sizeof spans[0], by_length);
    printf("%.3f %.3f %zu\n", (double)spans[messages / 2] / 1e6,
           (double)spans[messages * 99 / 100] / 1e6, messages);
    return 0;
}
