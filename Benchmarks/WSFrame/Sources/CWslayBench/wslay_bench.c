#include "wslay_bench.h"

#include <string.h>
#include <wslay/wslay.h>

struct input {
    const uint8_t *bytes;
    size_t count;
    size_t payload;
};

static size_t take(struct input *input, uint8_t *buffer, size_t length) {
    size_t count = length < input->count ? length : input->count;
    memcpy(buffer, input->bytes, count);
    input->bytes += count;
    input->count -= count;
    return count;
}

static ssize_t event_receive(wslay_event_context_ptr context, uint8_t *buffer, size_t length,
                             int flags, void *user) {
    (void)flags;
    size_t count = take(user, buffer, length);
    if (count == 0) {
        wslay_event_set_error(context, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    return (ssize_t)count;
}

static void event_message(wslay_event_context_ptr context,
                          const struct wslay_event_on_msg_recv_arg *message, void *user) {
    (void)context;
    ((struct input *)user)->payload += message->msg_length;
}

size_t wslay_bench_events(const uint8_t *bytes, size_t count) {
    struct input input = {bytes, count, 0};
    struct wslay_event_callbacks callbacks = {0};
    callbacks.recv_callback = event_receive;
    callbacks.on_msg_recv_callback = event_message;
    wslay_event_context_ptr context;
    if (wslay_event_context_server_init(&context, &callbacks, &input) != 0) return 0;
    int status = wslay_event_recv(context);
    wslay_event_context_free(context);
    return status == 0 ? input.payload : 0;
}

static ssize_t frame_receive(uint8_t *buffer, size_t length, int flags, void *user) {
    (void)flags;
    size_t count = take(user, buffer, length);
    return count == 0 ? -1 : (ssize_t)count;
}

size_t wslay_bench_frames(const uint8_t *bytes, size_t count) {
    struct input input = {bytes, count, 0};
    struct wslay_frame_callbacks callbacks = {0};
    callbacks.recv_callback = frame_receive;
    wslay_frame_context_ptr context;
    if (wslay_frame_context_init(&context, &callbacks, &input) != 0) return 0;
    struct wslay_frame_iocb piece;
    ssize_t status;
    for (;;) {
        memset(&piece, 0, sizeof piece);
        status = wslay_frame_recv(context, &piece);
        if (status < 0) break;
        input.payload += piece.data_length;
    }
    wslay_frame_context_free(context);
    return status == WSLAY_ERR_WANT_READ ? input.payload : 0;
}
