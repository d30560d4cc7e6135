import CLinux
import Glibc
import Synchronization

/// Looks host names up in threads of its own, so that a slow name server stops no event loop; one
/// serves all loops of the process.
///
/// Questions for a name that is being looked up already join that look-up: a thousand connections
/// that dial at once ask the name server once.
final class Resolver: Sendable {
    /// Threads; as many names that hang do not hold up the next one.
    private static let threadCount = 4

    private struct Question: Hashable {
        var host: String
        var port: UInt16
    }

    private struct State {
        var waiting: [Question: [(token: Token, inbox: Inbox)]] = [:]
        var queue: [Question] = []
        var threads = 0
        var idle = 0
        var isStopped = false
    }

    private let state = Mutex(State())
    /// A semaphore on which idle threads sleep.
    private let work: Descriptor

    init() throws(SystemError) {
        work = eventfd(0, Int32(EFD_SEMAPHORE) | Int32(EFD_CLOEXEC))
        guard work >= 0 else { throw .last }
    }

    /// Begins a look-up, whose answer goes to `inbox` under `token`; an address in numbers is answered
    /// at once, without a thread.
    func ask(host: String, port: UInt16, token: Token, inbox: Inbox) {
        if let address = SocketAddress(numeric: host, port: port) {
            return inbox.post(.resolved(token, .addresses([address])))
        }
        let question = Question(host: host, port: port)
        let (isNew, needsThread) = state.withLock { state in
            state.waiting[question, default: []].append((token, inbox))
            guard state.waiting[question]?.count == 1 else { return (false, false) }
            state.queue.append(question)
            let needsThread =
                state.idle < state.queue.count && state.threads < Self.threadCount
            if needsThread { state.threads += 1 }
            return (true, needsThread)
        }
        if needsThread, !Thread.start({ [self] in run() }) {
            state.withLock { $0.threads -= 1 }
        }
        if isNew { _ = eventfd_write(work, 1) }
    }

    /// Lets the threads end; one that hangs in a look-up is left behind.
    func stop() {
        let threads = state.withLock { state in
            state.isStopped = true
            return state.threads
        }
        if threads > 0 { _ = eventfd_write(work, eventfd_t(threads)) }
    }

    private func run() {
        while true {
            state.withLock { $0.idle += 1 }
            var count: eventfd_t = 0
            while unsafe eventfd_read(work, &count) != 0, errno == EINTR {}
            let question = state.withLock { state -> Question? in
                state.idle -= 1
                return state.isStopped || state.queue.isEmpty ? nil : state.queue.removeFirst()
            }
            guard let question else {
                if state.withLock({ $0.isStopped }) { return }
                continue
            }
            let answer = Self.lookUp(host: question.host, port: question.port)
            let askers = state.withLock { $0.waiting.removeValue(forKey: question) ?? [] }
            for (token, inbox) in askers { inbox.post(.resolved(token, answer)) }
        }
    }

    /// Looks a name up and blocks until the answer is there.
    static func lookUp(host: String, port: UInt16) -> Resolution {
        var hints = unsafe addrinfo()
        unsafe hints.ai_family = AF_UNSPEC
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = AI_ADDRCONFIG
        var list: UnsafeMutablePointer<addrinfo>?
        let status = unsafe getaddrinfo(host, String(port), &hints, &list)
        guard status == 0 else {
            return .failed(unsafe String(cString: gai_strerror(status)))
        }
        defer { unsafe freeaddrinfo(list) }
        var addresses: [SocketAddress] = []
        var entry = unsafe list
        while let present = unsafe entry {
            if let address = unsafe present.pointee.ai_addr {
                unsafe addresses.append(
                    .copy(of: address, length: present.pointee.ai_addrlen))
            }
            unsafe entry = present.pointee.ai_next
        }
        return addresses.isEmpty ? .failed("no address") : .addresses(addresses)
    }
}
