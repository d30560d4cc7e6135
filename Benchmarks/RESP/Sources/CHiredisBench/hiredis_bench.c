#include "hiredis_bench.h"

#include <hiredis/hiredis.h>
#include <hiredis/read.h>
#include <string.h>

long hiredis_bench_read(const uint8_t *bytes, size_t count, size_t piece, int objects) {
    redisReader *reader = redisReaderCreate();
    if (!reader) return -1;
    if (!objects) reader->fn = NULL;
    long replies = 0;
    for (size_t start = 0; start < count; start += piece) {
        size_t length = count - start < piece ? count - start : piece;
        if (redisReaderFeed(reader, (const char *)bytes + start, length) != REDIS_OK) return -1;
        void *reply;
        while (1) {
            if (redisReaderGetReply(reader, &reply) != REDIS_OK) return -1;
            if (!reply) break;
            replies++;
            if (objects) freeReplyObject(reply);
        }
    }
    redisReaderFree(reader);
    return replies;
}

long hiredis_bench_format(const char *channel, const uint8_t *payload, size_t count, long times) {
    const char *arguments[3] = {"PUBLISH", channel, (const char *)payload};
    size_t lengths[3] = {7, strlen(channel), count};
    long bytes = 0;
    while (times-- > 0) {
        char *command;
        int length = redisFormatCommandArgv(&command, 3, arguments, lengths);
        if (length < 0) return -1;
        bytes += length;
        redisFreeCommand(command);
    }
    return bytes;
}
