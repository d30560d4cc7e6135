import CLinux
import Glibc
import Synchronization

/// Looks host names up in threads of its own, so that a slow name server stops no event loop.
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
        var waiting: [Question: [Token]] = [:]
        var queue: [Question] = []
        var answers: [SysEvent] = []
        var threads = 0
        var idle = 0
        var isStopped = false
    }

    private let state = Mutex(State())
    /// Becomes readable when there are answers to take.
    let wakeUp: Descriptor
    /// A semaphore on which idle threads sleep.
    private let work: Descriptor

    init() throws(SystemError) {
        wakeUp = eventfd(0, Int32(EFD_NONBLOCK) | Int32(EFD_CLOEXEC))
        work = eventfd(0, Int32(EFD_SEMAPHORE) | Int32(EFD_CLOEXEC))
        guard wakeUp >= 0, work >= 0 else { throw .last }
    }

    /// Begins a look-up; an address in numbers is answered at once, without a thread.
    func ask(host: String, port: UInt16, token: Token) {
        if let address = SocketAddress(numeric: host, port: port) {
            state.withLock { $0.answers.append(.resolved(token, .addresses([address]))) }
            _ = eventfd_write(wakeUp, 1)
            return
        }
        let question = Question(host: host, port: port)
        let (isNew, needsThread) = state.withLock { state in
            state.waiting[question, default: []].append(token)
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

    /// Moves the answers that have come to `events`.
    func takeAnswers(into events: inout [SysEvent]) {
        var count: eventfd_t = 0
        _ = unsafe eventfd_read(wakeUp, &count)
        let answers = state.withLock { state in
            defer { state.answers.removeAll() }
            return state.answers
        }
        events.append(contentsOf: answers)
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
            state.withLock { state in
                for token in state.waiting.removeValue(forKey: question) ?? [] {
                    state.answers.append(.resolved(token, answer))
                }
            }
            _ = eventfd_write(wakeUp, 1)
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
