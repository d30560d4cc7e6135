/* A relay as one writes it with uWebSockets today: its C API, hiredis, and one libuv loop for both.
 *
 *     uws-relay LISTEN_PORT REDIS_PORT
 *
 * One connection to Redis for all channels; each message is put into JSON once and published to the
 * channel's topic. uWebSockets gathers what a turn of the loop has for a socket, and sends it by one system
 * call. A fifth of the pages has its heartbeat each second. Payloads are taken to be UTF-8, what pages say
 * is thrown away by uWebSockets itself, and a broken connection to Redis ends the program.
 *
 * The library is the one in PyPI's socketify, which brings no header: what is used of it is declared here.
 */
#include <hiredis/adapters/libuv.h>
#include <hiredis/async.h>
#include <search.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <uv.h>

/* uWebSockets: the order and the types of all members are the library's, and so are the functions' names. */
typedef struct uws_app uws_app_t;
typedef struct uws_req uws_req_t;
typedef struct uws_res uws_res_t;
typedef struct uws_websocket uws_websocket_t;
typedef struct uws_socket_context uws_socket_context_t;
typedef void (*event_handler)(uws_websocket_t *, void *);
typedef void (*frame_handler)(uws_websocket_t *, const char *, size_t, void *);
enum { PLAIN = 0, NO_COMPRESSION = 0, TEXT = 1 };

struct us_socket_context_options_t {
    const char *key, *certificate, *passphrase, *dh_parameters, *authority, *ciphers;
    int prefer_low_memory;
};
typedef struct { int port; const char *host; int options; } uws_app_listen_config_t;
typedef struct {
    int compression;
    unsigned most_payload;
    unsigned short idle_seconds;
    unsigned most_backpressure;
    bool close_on_backpressure, sending_resets_idle, pings;
    unsigned short lifetime_minutes;
    void (*upgrade)(uws_res_t *, uws_req_t *, uws_socket_context_t *, void *);
    event_handler open;
    void (*message)(uws_websocket_t *, const char *, size_t, int, void *);
    event_handler drain;
    frame_handler ping, pong;
    void (*close)(uws_websocket_t *, int, const char *, size_t, void *);
    void (*subscription)(uws_websocket_t *, const char *, size_t, int, int, void *);
} uws_socket_behavior_t;

void *uws_get_loop_with_native(void *loop);
uws_app_t *uws_create_app(int ssl, struct us_socket_context_options_t options);
void uws_ws(int ssl, uws_app_t *, const char *pattern, uws_socket_behavior_t, void *data);
void uws_app_listen_with_config(int ssl, uws_app_t *, uws_app_listen_config_t,
                                void (*)(void *listener, uws_app_listen_config_t, void *), void *data);
bool uws_publish(int ssl, uws_app_t *, const char *topic, size_t, const char *, size_t, int, bool compress);
size_t uws_req_get_url(uws_req_t *, const char **path);
size_t uws_req_get_header(uws_req_t *, const char *lower_case_name, size_t, const char **value);
void uws_res_upgrade(int ssl, uws_res_t *, void *data, const char *key, size_t, const char *protocol, size_t,
                     const char *extensions, size_t, uws_socket_context_t *);
void *uws_ws_get_user_data(int ssl, uws_websocket_t *);
int uws_ws_send(int ssl, uws_websocket_t *, const char *text, size_t, int kind);
bool uws_ws_subscribe(int ssl, uws_websocket_t *, const char *topic, size_t);

/* The relay. */
enum { HEARTBEAT_SECONDS = 5, MOST_ESCAPED = 6, MOST_FROM_A_PAGE = 16 * 1024 };
static const char PING[] = "{\"type\":\"ping\"}";
static const char PREFIX[] = "{\"type\":\"status\",\"data\":\"", SUFFIX[] = "\"}";
/* A path has no space, so that no page can ask for these: a topic for each fifth of the pages, and a channel
 * that stays subscribed, since hiredis 0.14 aborts when the last one ends while another begins. */
static const char *const HEARTBEATS[HEARTBEAT_SECONDS] = {" 0", " 1", " 2", " 3", " 4"};
static const char *const KEPT = " kept";

struct channel {
    const char *name;
    size_t length, pages;
    enum { ASKED_FOR, LIVE, ENDING } state;
};

static uws_app_t *app;
static redisAsyncContext *redis;
static void *channels;
static unsigned next_fifth;

static _Noreturn void fail(const char *what) {
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static int by_name(const void *left, const void *right) {
    const struct channel *one = left, *other = right;
    if (one->length != other->length) return one->length < other->length ? -1 : 1;
    return memcmp(one->name, other->name, one->length);
}

static void publish(const char *topic, size_t topic_length, const char *text, size_t length) {
    uws_publish(PLAIN, app, topic, topic_length, text, length, TEXT, false);
}

static void relay_message(const struct channel *channel, const char *payload, size_t length) {
    static char *text;
    static size_t size;
    size_t needed = sizeof PREFIX + MOST_ESCAPED * length + sizeof SUFFIX;
    if (needed > size) {
        size = 2 * needed;
        free(text);
        if (!(text = malloc(size))) fail("no memory");
    }
    memcpy(text, PREFIX, sizeof PREFIX - 1);
    char *out = text + sizeof PREFIX - 1;
    for (const char *end = payload + length; payload < end; payload++) {
        unsigned char byte = (unsigned char)*payload;
        if (byte == '"' || byte == '\\') *out++ = '\\';
        if (byte < 0x20) out += sprintf(out, "\\u%04x", byte);
        else *out++ = (char)byte;
    }
    memcpy(out, SUFFIX, sizeof SUFFIX - 1);
    publish(channel->name, channel->length, text, (size_t)(out - text) + sizeof SUFFIX - 1);
}

static void take_push(redisAsyncContext *, void *answer, void *data);

static void ask(struct channel *channel, bool begin) {
    const char *command[] = {begin ? "SUBSCRIBE" : "UNSUBSCRIBE", channel->name};
    const size_t lengths[] = {strlen(command[0]), channel->length};
    channel->state = begin ? ASKED_FOR : ENDING;
    redisCallbackFn *taker = begin ? take_push : NULL;
    if (redisAsyncCommandArgv(redis, taker, channel, 2, command, lengths)) fail("Redis has gone");
}

static struct channel *find_or_make(const char *name, size_t length) {
    struct channel key = {.name = name, .length = length};
    struct channel **found = tfind(&key, &channels, by_name);
    if (found) return *found;
    struct channel *made = calloc(1, sizeof *made);
    if (!made || !(made->name = strndup(name, length))) fail("no memory");
    made->length = length;
    tsearch(made, &channels, by_name);
    ask(made, true);
    return made;
}

/* The end of a subscription: pages that have come since begin another one. What is asked for before this is
 * known would be lost, since hiredis forgets the channel here. */
static void take_end(struct channel *channel) {
    if (channel->pages > 0) return ask(channel, true);
    tdelete(channel, &channels, by_name);
    free((char *)channel->name);
    free(channel);
}

static void take_push(redisAsyncContext *context, void *answer, void *data) {
    (void)context;
    struct channel *channel = data;
    const redisReply *push = answer;
    if (!push) return; /* The connection has ended, which is told by itself. */
    if (push->type != REDIS_REPLY_ARRAY || push->elements != 3) fail("Redis refuses a subscription");
    if (!channel) return; /* The one that is kept. */
    char kind = push->element[0]->str[0];
    if (kind == 'm' && channel->state == LIVE) {
        relay_message(channel, push->element[2]->str, push->element[2]->len);
    } else if (kind == 's' && channel->state == ASKED_FOR) {
        channel->state = LIVE;
        publish(channel->name, channel->length, PING, sizeof PING - 1);
    } else if (kind == 'u') {
        take_end(channel);
    }
}

static void upgrade_page(uws_res_t *response, uws_req_t *request, uws_socket_context_t *context, void *data) {
    (void)data;
    static const char KEY[] = "sec-websocket-key";
    const char *path, *key;
    size_t path_length = uws_req_get_url(request, &path);
    size_t key_length = uws_req_get_header(request, KEY, sizeof KEY - 1, &key);
    struct channel *channel = find_or_make(path + 1, path_length - 1);
    uws_res_upgrade(PLAIN, response, channel, key, key_length, "", 0, "", 0, context);
}

static void add_page(uws_websocket_t *page, void *data) {
    (void)data;
    static unsigned count;
    struct channel *channel = uws_ws_get_user_data(PLAIN, page);
    channel->pages++;
    uws_ws_subscribe(PLAIN, page, channel->name, channel->length);
    /* Never the fifth that is next: its heartbeat could come before Redis has answered. */
    unsigned later = 1 + count++ % (HEARTBEAT_SECONDS - 1);
    const char *heartbeat = HEARTBEATS[(next_fifth + later) % HEARTBEAT_SECONDS];
    uws_ws_subscribe(PLAIN, page, heartbeat, strlen(heartbeat));
    if (channel->state == LIVE) uws_ws_send(PLAIN, page, PING, sizeof PING - 1, TEXT);
}

/* uWebSockets takes the page out of its topics. */
static void remove_page(uws_websocket_t *page, int code, const char *reason, size_t length, void *data) {
    (void)code, (void)reason, (void)length, (void)data;
    struct channel *channel = uws_ws_get_user_data(PLAIN, page);
    if (--channel->pages == 0 && channel->state != ENDING) ask(channel, false);
}

static void send_heartbeats(uv_timer_t *timer) {
    (void)timer;
    const char *heartbeat = HEARTBEATS[next_fifth];
    next_fifth = (next_fifth + 1) % HEARTBEAT_SECONDS;
    publish(heartbeat, strlen(heartbeat), PING, sizeof PING - 1);
}

static void note_listener(void *listener, uws_app_listen_config_t config, void *data) {
    (void)config, (void)data;
    if (!listener) fail("it cannot listen");
}

static void end_with_redis(const redisAsyncContext *context, int status) {
    (void)status;
    fail(context->errstr);
}

/* hiredis asks for this after each read; its adapter would watch anew, which is two system calls. */
static void keep_reading(void *data) {
    if (!(((redisLibuvEvents *)data)->events & UV_READABLE)) redisLibuvAddRead(data);
}

int main(int count, char **arguments) {
    if (count != 3) return 2;
    struct rlimit most;
    getrlimit(RLIMIT_NOFILE, &most);
    most.rlim_cur = most.rlim_max;
    setrlimit(RLIMIT_NOFILE, &most);
    uv_loop_t *loop = uv_default_loop();
    uws_get_loop_with_native(loop);
    app = uws_create_app(PLAIN, (struct us_socket_context_options_t){0});
    redis = redisAsyncConnect("127.0.0.1", atoi(arguments[2]));
    if (!redis || redis->err || redisLibuvAttach(redis, loop)) fail("it cannot reach Redis");
    redis->ev.addRead = keep_reading;
    redisAsyncSetDisconnectCallback(redis, end_with_redis);
    redisAsyncCommand(redis, take_push, NULL, "SUBSCRIBE %s", KEPT);
    /* An idle time of nothing is none, and so is a bound on what waits for a slow page. */
    uws_ws(PLAIN, app, "/*", (uws_socket_behavior_t){.compression = NO_COMPRESSION,
        .most_payload = MOST_FROM_A_PAGE, .upgrade = upgrade_page, .open = add_page,
        .close = remove_page}, NULL);
    uws_app_listen_with_config(PLAIN, app, (uws_app_listen_config_t){
        .port = atoi(arguments[1]), .host = "127.0.0.1"}, note_listener, NULL);
    uv_timer_t heartbeats;
    uv_timer_init(loop, &heartbeats);
    uv_timer_start(&heartbeats, send_heartbeats, 1000, 1000);
    return uv_run(loop, UV_RUN_DEFAULT);
}
