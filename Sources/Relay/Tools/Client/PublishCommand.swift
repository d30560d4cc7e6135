import RESP

/// Publishes messages to a channel of the configured Redis, as `redis-cli PUBLISH` would, or in a cluster
/// `SPUBLISH`.
public struct PublishCommand {
    /// The longest wait for Redis: for the connection, and for each answer.
    public static let patience = Nanoseconds.seconds(5)

    private let publisher: ChannelPublisher

    /// Logs in; nil, with the line that says why, where Redis cannot be reached.
    public static func open(
        _ settings: Settings, channel: String
    ) -> (command: PublishCommand?, complaint: String?) {
        do throws(LinkFailure) {
            let publisher = try ChannelPublisher(
                settings, patience: patience, channel: Array(channel.utf8))
            return (PublishCommand(publisher: publisher), nil)
        } catch {
            return (nil, "redis at \(settings.redis): \(error)")
        }
    }

    /// Publishes a message; how many subscribers Redis has handed it to, or why it has not.
    public func publish(_ message: [UInt8]) -> (receivers: Int?, complaint: String?) {
        do throws(LinkFailure) {
            return (try publisher.publish(message), nil)
        } catch {
            return (nil, "\(error)")
        }
    }

    /// What is unlikely about a channel and a message of so many bytes: whole sentences for a person.
    public static func remarks(
        channel: String, messageLength: Int, _ settings: Settings
    ) -> [String] {
        var remarks: [String] = []
        if ChannelName(bytes: Array(channel.utf8)) == nil {
            remarks.append("no page can follow \(channel.debugDescription): it is not run:channel")
        }
        if messageLength > settings.maxPayloadSize {
            remarks.append(
                "the message has \(messageLength) bytes, more than STATUS_MAX_PAYLOAD_SIZE: the"
                    + " daemon skips it")
        }
        return remarks
    }
}
