import RESP

/// Why a link to Redis was lost or could not be made.
indirect enum LinkFailure: Equatable, Sendable {
    /// Nobody listens there.
    case refused
    /// The connection was reset.
    case reset
    /// The name could not be looked up; the resolver's words.
    case nameLookup(String)
    /// This machine has no local port, or no address, left for a connection there.
    case noLocalPort
    /// Another error of the network or the kernel.
    case network(SystemError)
    /// The connection was not made within ``RedisLink/dialLimit``.
    case dialTimeout
    /// A command of the greeting was not answered in time.
    case timeout(command: String)
    /// A quiet link did not answer its `PING` in time: it is stalled.
    case stalled
    /// The other end acknowledges nothing any more: it, or the way to it, is gone.
    case unacknowledged
    /// The TLS handshake was not done in time.
    case handshakeTimeout
    /// The server closed the connection at the first command, without a word.
    case closedAtGreeting
    /// Redis closed the connection.
    case closedByRedis
    /// Redis closed the connection in the midst of a message, as it does with a subscriber whose
    /// output buffer has reached its limit; a Redis that is killed may do the same.
    case outputBuffer
    /// Redis is reading its data set (`LOADING`).
    case loading
    /// Redis is busy with a script (`BUSY`) or cannot serve now (`TRYAGAIN`, `MASTERDOWN`).
    case busy
    /// Redis has as many clients as it takes.
    case tooManyClients
    /// Redis takes connections of its own machine alone (`DENIED`).
    case protectedMode
    /// The server is not the master that Sentinel or a cluster's node names: not yet, or no longer.
    case notMaster
    /// The Sentinels that answered do not know the service.
    case unknownService(String)
    /// No Sentinel has named a master; this was the last reason, or the one that says most.
    case sentinel(LinkFailure)
    /// The channel's slot is another node's (`MOVED`).
    case moved(ClusterRedirection)
    /// The node has ended the subscription: its slot has gone to another.
    case slotLeft
    /// Nobody serves the channel's slot (`CLUSTERDOWN`); the node's words.
    case slotUnserved(String)
    /// The node does not reach the others, or some slots have no master (`cluster_state:fail`).
    case clusterDown
    /// The server is no cluster.
    case noCluster
    /// The cluster's Redis is of this version, which has no sharded Pub/Sub.
    case tooOld(String)
    /// No node of the cluster can be asked; this was the last reason, or the one that says most.
    case nodes(LinkFailure)
    /// Redis refused the user or password (`WRONGPASS`).
    case wrongPassword
    /// The server refused `AUTH` for another reason, which is said without its own words: they may
    /// hold the password.
    case authRefused(String)
    /// Redis asks for a password and none is configured (`NOAUTH`).
    case passwordMissing
    /// The ACL user may not do this (`NOPERM`).
    case noPermission(String)
    /// The database number is not one that the server has.
    case badDatabase(String)
    /// Redis answered with another error.
    case refusedCommand(String)
    /// A certificate, Redis's or ours, does not verify; why.
    case certificate(String)
    /// The TLS connection failed for another reason.
    case tls(String)
    /// What listens there is no Redis, or speaks TLS where none is asked for.
    case wrongServer(WrongServer)
    /// What came was not RESP, or not what the protocol says comes here.
    case protocolError(String)

    /// Whether what ended this link may have ended others to the same server unnoticed.
    var castsDoubtOnServer: Bool {
        switch self {
        case .refused, .reset, .network, .dialTimeout, .timeout, .stalled, .unacknowledged,
            .handshakeTimeout, .closedAtGreeting, .closedByRedis:
            true
        default: false
        }
    }

    /// Whether it is the log-in that Redis refuses, which it may have taken from older links.
    var isOfLogIn: Bool {
        switch self {
        case .wrongPassword, .passwordMissing, .authRefused: true
        default: false
        }
    }

    /// Whether it is that something was waited for in vain.
    var isTimeout: Bool {
        switch self {
        case .timeout, .stalled, .dialTimeout, .handshakeTimeout, .unacknowledged: true
        default: false
        }
    }

    /// Whether trying again is of no use at start: the configuration is wrong.
    var isFatalAtStart: Bool {
        switch self {
        case .wrongPassword, .authRefused, .passwordMissing, .noPermission, .badDatabase,
            .certificate, .noCluster, .tooOld:
            true
        case .sentinel(let failure), .nodes(let failure): failure.isFatalAtStart
        default: false
        }
    }

    /// The failure behind an error reply of Redis; the reply's first word tells which.
    init(reply: String, to command: String) {
        switch reply.prefix(while: { $0 != " " }) {
        case "LOADING": self = .loading
        case "BUSY", "TRYAGAIN", "MASTERDOWN", "ASK": self = .busy
        case "CLUSTERDOWN": self = .slotUnserved(reply)
        case "WRONGPASS": self = .wrongPassword
        case "NOAUTH": self = .passwordMissing
        case "NOPERM": self = .noPermission(reply)
        case "DENIED": self = .protectedMode
        default:
            if let redirection = ClusterRedirection(reply) {
                self = .moved(redirection)
            } else if reply.contains("cluster support disabled") {
                self = .noCluster
            } else if reply.contains("max number of clients") {
                self = .tooManyClients
            } else if command == "SELECT" {
                self = .badDatabase(reply)
            } else if reply.contains("invalid password") {
                self = .wrongPassword
            } else if command == "AUTH" {
                self = .init(authRefusal: reply)
            } else {
                self = .refusedCommand(reply)
            }
        }
    }

    /// Tells apart what servers say to `AUTH`.
    private init(authRefusal reply: String) {
        let text = reply.lowercased()
        if text.contains("without any password") || text.contains("no password is set") {
            self = .authRefused("a password is set here, and Redis asks for none")
        } else if text.contains("unknown command") || text.contains("unsupported command") {
            self = .authRefused("the server does not know AUTH")
        } else {
            self = .wrongPassword
        }
    }

    /// The failure behind bytes that are not RESP; `firstBytes` are there if nothing came before.
    init(_ error: RESPError, firstBytes: Span<UInt8>?) {
        if let firstBytes, let server = WrongServer(firstBytes: firstBytes) {
            self = .wrongServer(server)
        } else {
            self = .protocolError("\(error)")
        }
    }

    /// The failure behind an error of the network.
    init(_ error: SystemError) {
        switch error {
        case .connectionRefused, .noSuchFile: self = .refused
        case .connectionReset, .brokenPipe: self = .reset
        case .timedOut: self = .dialTimeout
        case .addressNotAvailable: self = .noLocalPort
        default: self = .network(error)
        }
    }

    /// Whether a refusal of `SUBSCRIBE` is one of the channel, and not of the command.
    var isAboutChannel: Bool {
        guard case .noPermission(let reply) = self else { return false }
        let text = reply.lowercased()
        return !text.contains("'subscribe' command") && !text.contains("'ssubscribe' command")
    }

    /// Whether the channel is to be had elsewhere, or soon, and the link need not be blamed.
    var isOfSlot: Bool {
        switch self {
        case .moved, .slotLeft, .slotUnserved, .busy: true
        default: false
        }
    }

    /// Whether the server is to be told why by an alert of TLS.
    var isOfTLS: Bool {
        switch self {
        case .certificate, .tls: true
        default: false
        }
    }

    /// A short name for metrics and logs.
    var cause: String {
        switch self {
        case .refused: "refused"
        case .reset: "reset"
        case .nameLookup: "name"
        case .noLocalPort: "no_local_port"
        case .network: "network"
        case .dialTimeout, .timeout, .handshakeTimeout: "timeout"
        case .stalled: "stalled"
        case .unacknowledged: "stalled"
        case .closedAtGreeting, .closedByRedis: "closed"
        case .outputBuffer: "output_buffer"
        case .loading: "loading"
        case .busy: "busy"
        case .tooManyClients: "max_clients"
        case .protectedMode: "protected_mode"
        case .notMaster: "not_master"
        case .unknownService: "unknown_service"
        case .sentinel(let failure): failure.isFatalAtStart ? failure.cause : "sentinel"
        case .moved, .slotLeft: "moved"
        case .slotUnserved: "slot_unserved"
        case .clusterDown: "cluster_down"
        case .noCluster: "no_cluster"
        case .tooOld: "too_old"
        case .nodes(let failure): failure.cause
        case .wrongPassword: "wrong_password"
        case .authRefused: "auth_refused"
        case .passwordMissing: "password_missing"
        case .noPermission: "no_permission"
        case .badDatabase: "bad_database"
        case .refusedCommand: "refused_command"
        case .certificate: "certificate"
        case .tls: "tls"
        case .wrongServer: "wrong_server"
        case .protocolError: "protocol"
        }
    }
}

extension LinkFailure: CustomStringConvertible {
    /// One clear line for people; it never holds a password.
    var description: String {
        switch self {
        case .refused: "connection refused"
        case .reset: "connection reset"
        case .nameLookup(let reason): "name look-up failed: \(reason)"
        case .noLocalPort:
            "no local port is left for a connection there, or no address of its family is set up"
                + " (EADDRNOTAVAIL; see net.ipv4.ip_local_port_range)"
        case .network(let error): error.reason
        case .dialTimeout: "no connection in time"
        case .timeout(let command): "timeout: no answer to \(command)"
        case .stalled: "timeout: the link is stalled, PING was not answered"
        case .unacknowledged: "timeout: the other end acknowledges nothing"
        case .handshakeTimeout:
            "timeout: no answer to the TLS handshake; where the server speaks no TLS on this port,"
                + " redis:// is meant"
        case .closedAtGreeting:
            "the server closed the connection at the first command; where it speaks TLS on this"
                + " port, rediss:// is meant"
        case .closedByRedis: "Redis closed the connection"
        case .outputBuffer:
            "Redis closed the connection in the midst of a message: most likely its output buffer"
                + " limit (client-output-buffer-limit pubsub)"
        case .loading: "Redis is loading its data set"
        case .busy: "Redis is busy"
        case .tooManyClients: "Redis has reached its maximum number of clients"
        case .notMaster:
            "the server is not, or no longer, the master that Sentinel or the cluster names"
        case .unknownService(let name): "no Sentinel knows the service \(name)"
        case .sentinel(let failure): "no Sentinel has named a master: \(failure)"
        case .moved(let redirection):
            "slot \(redirection.slot.number) of the cluster is another node's (MOVED)"
        case .slotLeft: "the node has ended the subscription: its slot is another node's"
        case .slotUnserved(let reply): "nobody serves the channel's slot: \(reply)"
        case .clusterDown:
            "the node does not reach the others, or slots have no master (cluster_state:fail)"
        case .noCluster:
            "the server is no cluster (cluster-enabled no): redis:// is meant, or another address"
        case .tooOld(let version):
            "the cluster is of Redis \(version): sharded Pub/Sub (SSUBSCRIBE) takes version 7"
        case .nodes(let failure): "no node of the cluster can be asked: \(failure)"
        case .protectedMode:
            "Redis is in protected mode and takes connections of its own machine alone"
        case .wrongPassword: "Redis refused the user or password (WRONGPASS)"
        case .authRefused(let reason): "Redis refused AUTH: \(reason)"
        case .passwordMissing: "Redis asks for a password (NOAUTH)"
        case .noPermission(let reply): "no permission: \(reply)"
        case .badDatabase(let reply): "the database cannot be selected: \(reply)"
        case .refusedCommand(let reply): "Redis answered: \(reply)"
        case .certificate(let reason): "TLS: \(reason)"
        case .tls(let reason): "TLS: \(reason)"
        case .wrongServer(let server): "\(server)"
        case .protocolError(let reason): "protocol error: \(reason)"
        }
    }
}
