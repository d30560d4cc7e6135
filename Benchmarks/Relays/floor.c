/* The floor beneath every relay of Redis Pub/Sub to WebSockets: what the kernel asks for the bytes.
 *
 *     cc -O2 -o floor floor.c -lcrypto && ./floor LISTEN_PORT REDIS_PORT
 *     cc -O2 -DURING -o floor-uring floor.c -lcrypto -luring    (a turn's writes in one system call)
 *
 * One epoll loop, one connection to Redis for all channels. Redis's bytes are read once; each message
 * becomes a frame once; each socket gets what one read has brought for its channel in one write. Nothing
 * else is done: payloads are not escaped, no heartbeat goes out, what browsers send is thrown away, a
 * socket that is full is waited for, and a broken peer ends the program. It is no relay to be used.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <poll.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#ifdef URING
#include <liburing.h>
#endif

enum { READ_SIZE = 64 * 1024, EVENTS = 256, MOST_SOCKETS = 1 << 17 };

struct channel {
    char *name;
    int *sockets, count, room, is_live, is_dirty;
    char *out;
    size_t length, size;
};

static const char PREFIX[] = "{\"type\":\"status\",\"data\":\"", SUFFIX[] = "\"}";
static const char PING[] = "\x81\x0f{\"type\":\"ping\"}";
static struct channel *channel_of[MOST_SOCKETS];
static void *names;
static struct channel *dirty[MOST_SOCKETS];
static int dirty_count, redis, poller;
static char input[4 * READ_SIZE];
static size_t held;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static int by_name(const void *left, const void *right) {
    return strcmp(((const struct channel *)left)->name, ((const struct channel *)right)->name);
}

static void write_all(int fd, const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t count = send(fd, bytes, length, MSG_NOSIGNAL);
        if (count < 0 && errno == EAGAIN) {
            struct pollfd room = {.fd = fd, .events = POLLOUT};
            poll(&room, 1, -1);
            continue;
        }
        if (count < 0) return; /* The peer has gone; its end is told by epoll. */
        bytes += count;
        length -= (size_t)count;
    }
}

static struct channel *find(const char *name, int may_make) {
    struct channel key = {.name = (char *)name};
    struct channel **found = tfind(&key, &names, by_name);
    if (found || !may_make) return found ? *found : NULL;
    struct channel *made = calloc(1, sizeof *made);
    made->name = strdup(name);
    tsearch(made, &names, by_name);
    char command[600];
    int length = snprintf(command, sizeof command, "*2\r\n$9\r\nSUBSCRIBE\r\n$%zu\r\n%s\r\n",
                          strlen(name), name);
    write_all(redis, command, (size_t)length);
    return made;
}

static void append(struct channel *channel, const char *bytes, size_t length) {
    if (channel->length + length > channel->size) {
        channel->size = 2 * (channel->length + length);
        channel->out = realloc(channel->out, channel->size);
    }
    memcpy(channel->out + channel->length, bytes, length);
    channel->length += length;
}

static void queue_message(struct channel *channel, const char *payload, size_t length) {
    size_t body = sizeof PREFIX - 1 + length + sizeof SUFFIX - 1;
    char head[10] = {(char)0x81};
    size_t head_length = 2;
    if (body < 126) {
        head[1] = (char)body;
    } else if (body < 65536) {
        head[1] = 126, head[2] = (char)(body >> 8), head[3] = (char)body, head_length = 4;
    } else {
        head[1] = 127, head_length = 10;
        for (int i = 0; i < 8; i++) head[2 + i] = (char)(body >> (56 - 8 * i));
    }
    append(channel, head, head_length);
    append(channel, PREFIX, sizeof PREFIX - 1);
    append(channel, payload, length);
    append(channel, SUFFIX, sizeof SUFFIX - 1);
    if (!channel->is_dirty) channel->is_dirty = 1, dirty[dirty_count++] = channel;
}

/* The end of a line that begins with one byte and a number; NULL where it has not come yet. */
static char *number(char *at, char *end, long *value) {
    char *line = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
    if (line) *value = strtol(at + 1, NULL, 10);
    return line ? line + 1 : NULL;
}

/* Takes one push of RESP2, three elements; returns its end, or NULL where it is not whole. */
static char *take_push(char *at, char *end) {
    char *part[3];
    long length[3], elements;
    if (!(at = number(at, end, &elements))) return NULL;
    for (int i = 0; i < 3; i++) {
        int is_number = at < end && *at == ':';
        if (!(at = number(at, end, &length[i]))) return NULL;
        if (is_number) continue;
        part[i] = at;
        if (end - at < length[i] + 2) return NULL;
        at += length[i] + 2;
    }
    part[1][length[1]] = 0; /* Its CR. */
    struct channel *channel = find(part[1], 0);
    if (!channel) return at;
    if (part[0][0] == 'm') {
        queue_message(channel, part[2], (size_t)length[2]);
    } else {
        channel->is_live = 1;
        for (int i = 0; i < channel->count; i++)
            write_all(channel->sockets[i], PING, sizeof PING - 1);
    }
    return at;
}

#ifdef URING
/* Sends what each channel has to each of its sockets: as many as fit into the ring by one system call. */
static struct io_uring ring;
static unsigned on_their_way;

static void submit(void) {
    io_uring_submit_and_wait(&ring, on_their_way);
    while (on_their_way > 0) {
        struct io_uring_cqe *done;
        if (io_uring_wait_cqe(&ring, &done)) fail("io_uring_wait_cqe");
        io_uring_cqe_seen(&ring, done);
        on_their_way--;
    }
}

static void send_turn(void) {
    for (int i = 0; i < dirty_count; i++) {
        struct channel *channel = dirty[i];
        for (int j = 0; j < channel->count; j++) {
            struct io_uring_sqe *entry = io_uring_get_sqe(&ring);
            if (!entry) {
                submit();
                entry = io_uring_get_sqe(&ring);
            }
            io_uring_prep_send(entry, channel->sockets[j], channel->out, channel->length,
                               MSG_NOSIGNAL | MSG_WAITALL);
            on_their_way++;
        }
    }
    if (on_their_way > 0) submit();
}
#else
/* Sends what each channel has to each of its sockets. */
static void send_turn(void) {
    for (int i = 0; i < dirty_count; i++)
        for (int j = 0; j < dirty[i]->count; j++)
            write_all(dirty[i]->sockets[j], dirty[i]->out, dirty[i]->length);
}
#endif

static void read_redis(void) {
    ssize_t count = recv(redis, input + held, READ_SIZE, 0);
    if (count <= 0) exit(0);
    char *at = input, *end = input + held + count, *next;
    while (at < end && (next = take_push(at, end))) at = next;
    held = (size_t)(end - at);
    if (held > sizeof input - READ_SIZE) exit(1);
    memmove(input, at, held);
    send_turn();
    for (int i = 0; i < dirty_count; i++) dirty[i]->length = 0, dirty[i]->is_dirty = 0;
    dirty_count = 0;
}

static void upgrade(int fd, char *request) {
    char *key = strcasestr(request, "Sec-WebSocket-Key: ");
    char *path = strchr(request, '/'), joined[64], accept[64], answer[256];
    if (!key || !path) return;
    snprintf(joined, sizeof joined, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key + 19);
    unsigned char digest[SHA_DIGEST_LENGTH];
    SHA1((unsigned char *)joined, strlen(joined), digest);
    EVP_EncodeBlock((unsigned char *)accept, digest, sizeof digest);
    int length = snprintf(answer, sizeof answer,
                          "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                          "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept);
    write_all(fd, answer, (size_t)length);
    *strchr(path, ' ') = 0;
    struct channel *channel = find(path + 1, 1);
    if (channel->count == channel->room) {
        channel->room = channel->room ? 2 * channel->room : 1;
        channel->sockets = realloc(channel->sockets, (size_t)channel->room * sizeof(int));
    }
    channel->sockets[channel->count++] = fd;
    channel_of[fd] = channel;
    if (channel->is_live) write_all(fd, PING, sizeof PING - 1);
}

static void read_browser(int fd) {
    static char bytes[READ_SIZE];
    ssize_t count = recv(fd, bytes, sizeof bytes - 1, 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count > 0) {
        bytes[count] = 0;
        if (!channel_of[fd]) upgrade(fd, bytes);
        return;
    }
    struct channel *channel = channel_of[fd];
    for (int i = 0; channel && i < channel->count; i++)
        if (channel->sockets[i] == fd) channel->sockets[i] = channel->sockets[--channel->count];
    channel_of[fd] = NULL;
    close(fd);
}

static void watch(int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event)) fail("epoll_ctl");
}

int main(int count, char **arguments) {
    if (count != 3) return 2;
    struct rlimit most;
    getrlimit(RLIMIT_NOFILE, &most);
    most.rlim_cur = most.rlim_max;
    setrlimit(RLIMIT_NOFILE, &most);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    poller = epoll_create1(0);
#ifdef URING
    if (io_uring_queue_init(1024, &ring, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN))
        fail("io_uring_queue_init");
#endif
    redis = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_port = htons((unsigned short)atoi(arguments[2]));
    if (connect(redis, (struct sockaddr *)&address, sizeof address)) fail("connect");
    setsockopt(redis, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    address.sin_port = htons((unsigned short)atoi(arguments[1]));
    if (bind(listener, (struct sockaddr *)&address, sizeof address)) fail("bind");
    if (listen(listener, 4096)) fail("listen");
    watch(redis);
    watch(listener);
    for (;;) {
        struct epoll_event events[EVENTS];
        int told = epoll_wait(poller, events, EVENTS, -1);
        for (int i = 0; i < told; i++) {
            int fd = events[i].data.fd, browser;
            if (fd == redis) read_redis();
            else if (fd != listener) read_browser(fd);
            else while ((browser = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                setsockopt(browser, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                if (browser < MOST_SOCKETS) watch(browser);
            }
        }
    }
}
