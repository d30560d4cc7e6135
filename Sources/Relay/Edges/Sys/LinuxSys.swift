import CLinux
import Glibc

/// The world as Linux has it: epoll, nonblocking sockets, `CLOCK_MONOTONIC`, `getrandom`.
///
/// One instance serves one event loop, in that loop's thread.
@safe struct LinuxSys: Sys, ~Copyable {
    /// Most events taken from the kernel in one turn.
    private static let eventLimit = 256
    /// Most pieces of a queue handed to the kernel in one write.
    private static let vectorLimit = 64
    /// Random numbers taken from the kernel at once: 256 bytes, which always come whole (getrandom(2)).
    private static let randomCount = 32
    /// Connections that the kernel completes ahead of `accept`.
    private static let backlog: Int32 = 4096

    /// What the kernel hands back for the inbox and the signals; no ``Token`` has these kinds.
    private static let inboxData: UInt64 = .max
    private static let signalData: UInt64 = .max - 1

    private let epoll: Descriptor
    /// -1 where another loop of the process hears the signals.
    private let signals: Descriptor
    private let resolver: Resolver
    /// Whether the resolver is this loop's alone, and ends with it.
    private let hasOwnResolver: Bool
    /// What other threads have for the loop.
    private let inbox: Inbox
    private var kernelEvents: [epoll_event]
    private var randoms: [UInt64] = []
    /// Who may connect to Unix sockets that are listened on.
    private let socketMode: SocketMode?
    /// The files of the Unix sockets that are listened on.
    private var socketFiles: [(listener: Descriptor, file: SocketFile)] = []
    /// The socket on which browsers connect, where the service manager has opened it; it takes the
    /// place of the address that is listened on.
    var inheritedListener: Descriptor?
    /// Addresses of this machine that clients' dials come from in turn, so that more connections to
    /// one address are possible than an address has ports; empty for what the system takes.
    var sourceAddresses: [SocketAddress] = []
    private var dialCount = 0

    /// Makes the loop's world; `signals` are delivered as events from now on, and the files of Unix
    /// sockets get `socketMode`, or what the process's umask leaves.
    ///
    /// Call it before any other thread is started, so that every thread blocks the signals. Of
    /// several loops one hears the signals, and all have one `resolver`.
    init(
        signals watched: [Int32], socketMode: SocketMode? = nil, inbox: Inbox? = nil,
        resolver: Resolver? = nil
    ) throws(SystemError) {
        self.socketMode = socketMode
        let signals = try Self.signalDescriptor(watched)
        let usedResolver = if let resolver { resolver } else { try Resolver() }
        let usedInbox = if let inbox { inbox } else { try Inbox() }
        let epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard epoll >= 0 else { throw .last }
        unsafe kernelEvents = Array(repeating: epoll_event(), count: Self.eventLimit)
        self.epoll = epoll
        self.signals = signals
        hasOwnResolver = resolver == nil
        self.resolver = usedResolver
        self.inbox = usedInbox
        if signals >= 0 {
            control(EPOLL_CTL_ADD, signals, events: EPOLLIN.rawValue, data: Self.signalData)
        }
        control(
            EPOLL_CTL_ADD, usedInbox.descriptor, events: EPOLLIN.rawValue, data: Self.inboxData)
    }

    deinit {
        for (_, file) in socketFiles { file.remove() }
        if hasOwnResolver { resolver.stop() }
        if signals >= 0 { _ = Glibc.close(signals) }
        _ = Glibc.close(epoll)
    }

    /// Blocks the signals and opens what they are read from; -1 for no signals.
    private static func signalDescriptor(_ watched: [Int32]) throws(SystemError) -> Descriptor {
        guard !watched.isEmpty else { return -1 }
        HostProcess.block(watched)
        var set = sigset_t()
        unsafe sigemptyset(&set)
        for signal in watched { unsafe sigaddset(&set, signal) }
        let signals = unsafe signalfd(-1, &set, Int32(SFD_NONBLOCK) | Int32(SFD_CLOEXEC))
        guard signals >= 0 else { throw .last }
        return signals
    }

    // MARK: - Clock and randomness

    func now() -> BootTime {
        var time = timespec()
        unsafe clock_gettime(CLOCK_BOOTTIME, &time)
        return BootTime(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    func unixTime() -> Int64 {
        WallClock.unixTime()
    }

    mutating func random() -> UInt64 {
        if randoms.isEmpty { drawRandoms() }
        return randoms.removeLast()
    }

    /// Asks the kernel for many numbers at once: each connection takes one.
    private mutating func drawRandoms() {
        let drawn = unsafe withUnsafeTemporaryAllocation(
            of: UInt64.self, capacity: Self.randomCount
        ) {
            let size = Self.randomCount * MemoryLayout<UInt64>.size
            while true {
                let count = unsafe getrandom($0.baseAddress, size, 0)
                if count == size { return unsafe Array($0) }
                precondition(count < 0 && errno == EINTR, "getrandom failed")
            }
        }
        randoms = drawn
    }

    // MARK: - Sockets

    mutating func listen(_ address: ListenAddress, token: Token) throws(SystemError)
        -> (Descriptor, SocketAddress)
    {
        if token.kind == .listener, let inheritedListener {
            let (descriptor, bound) = try ListenSocket.adopt(inheritedListener)
            watch(descriptor, token: token, for: .read)
            return (descriptor, bound)
        }
        let socketAddress = try ListenSocket.address(of: address)
        let descriptor = try ListenSocket.open(
            socketAddress, mode: token.kind == .adminListener ? .ownerOnly : socketMode,
            backlog: Self.backlog)
        if let file = SocketFile(at: socketAddress) { socketFiles.append((descriptor, file)) }
        watch(descriptor, token: token, for: .read)
        return (descriptor, ListenSocket.localAddress(of: descriptor) ?? socketAddress)
    }

    mutating func stopListening(_ listener: Descriptor) {
        // First the file: a successor may be waiting to listen at the same path.
        for (owner, file) in socketFiles where owner == listener { file.remove() }
        socketFiles.removeAll { $0.listener == listener }
        close(listener, reset: false)
    }

    mutating func accept(_ listener: Descriptor) -> AcceptOutcome {
        while true {
            let (descriptor, peer) = unsafe SocketAddress.written { address, length in
                unsafe accept4(listener, address, length, Self.socketFlags)
            }
            if descriptor >= 0 {
                Self.setNoDelay(descriptor, family: peer.family)
                return .accepted(descriptor, peer: peer)
            }
            switch errno {
            // The peer gave up while it waited in the backlog; the next one may be there.
            case EINTR, ECONNABORTED: continue
            case EAGAIN: return .wouldBlock
            default: return .failed(.last)
            }
        }
    }

    mutating func resolve(host: String, port: UInt16, token: Token) {
        resolver.ask(host: host, port: port, token: token, inbox: inbox)
    }

    mutating func dial(_ address: SocketAddress, keepAlive: KeepAlive?, token: Token)
        throws(SystemError) -> Descriptor
    {
        let descriptor = socket(
            address.family, Int32(SOCK_STREAM.rawValue) | Self.socketFlags, 0)
        guard descriptor >= 0 else { throw .last }
        Self.setNoDelay(descriptor, family: address.family)
        if let keepAlive { Self.set(keepAlive, on: descriptor, family: address.family) }
        if token.kind == .client { bindSource(of: descriptor, to: address) }
        let result = unsafe address.withSockaddr { unsafe connect(descriptor, $0, $1) }
        // EINTR: the connection goes on in the background (POSIX, connect).
        if result != 0, errno != EINPROGRESS, errno != EINTR {
            let error = SystemError.last
            _ = Glibc.close(descriptor)
            throw error
        }
        watch(descriptor, token: token, for: .write)
        return descriptor
    }

    /// Binds a socket to the next source address that fits; its port is chosen with the target's
    /// (`IP_BIND_ADDRESS_NO_PORT`, ip(7)), so that ports are told apart by the target too.
    private mutating func bindSource(of descriptor: Descriptor, to address: SocketAddress) {
        guard !sourceAddresses.isEmpty else { return }
        let source = sourceAddresses[dialCount % sourceAddresses.count]
        dialCount += 1
        guard source.family == address.family, source.isLoopback == address.isLoopback else {
            return
        }
        Self.set(1, Int32(IPPROTO_IP), IP_BIND_ADDRESS_NO_PORT, on: descriptor)
        // A source that is none of this machine's shows as a dial that fails.
        _ = unsafe source.withSockaddr { unsafe bind(descriptor, $0, $1) }
    }

    mutating func dialError(_ descriptor: Descriptor) -> SystemError? {
        var code: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        let result = unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length)
        guard result == 0 else { return .last }
        return code == 0 ? nil : SystemError(code: code)
    }

    mutating func watch(_ descriptor: Descriptor, token: Token, for interest: Interest) {
        control(EPOLL_CTL_ADD, descriptor, events: Self.bits(interest), data: token.bits)
    }

    mutating func unwatch(_ descriptor: Descriptor) {
        control(EPOLL_CTL_DEL, descriptor, events: 0, data: 0)
    }

    mutating func rewatch(_ descriptor: Descriptor, token: Token, for interest: Interest) {
        control(EPOLL_CTL_MOD, descriptor, events: Self.bits(interest), data: token.bits)
    }

    mutating func receive(_ descriptor: Descriptor, into buffer: inout [UInt8]) -> ReceiveOutcome {
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes {
                unsafe recv(descriptor, $0.baseAddress, $0.count, 0)
            }
            if count > 0 { return .bytes(count) }
            if count == 0 { return .endOfStream }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .wouldBlock
            case EBADF: preconditionFailure("a closed descriptor was read")
            default: return .failed(.last)
            }
        }
    }

    mutating func send(_ descriptor: Descriptor, _ queue: OutputQueue) -> SendOutcome {
        while true {
            let sent = write(queue, to: descriptor)
            if sent >= 0 { return .sent(sent) }
            switch errno {
            case EINTR: continue
            case EAGAIN: return .sent(0)
            case EBADF: preconditionFailure("a closed descriptor was written")
            default: return .failed(.last)
            }
        }
    }

    /// One block, as nearly always, goes without a list of blocks, which the kernel would have to read.
    private func write(_ queue: OutputQueue, to descriptor: Descriptor) -> Int {
        let flags = Int32(MSG_NOSIGNAL)
        if let block = unsafe queue.onlyBlock {
            return unsafe Glibc.send(descriptor, block.baseAddress, block.count, flags)
        }
        return unsafe withUnsafeTemporaryAllocation(
            of: iovec.self, capacity: Self.vectorLimit
        ) { vector in
            var count = 0
            unsafe queue.forEachBlock { block in
                unsafe vector[count] = unsafe iovec(
                    iov_base: UnsafeMutableRawPointer(mutating: block.baseAddress),
                    iov_len: block.count)
                count += 1
                return count < Self.vectorLimit
            }
            var message = unsafe msghdr()
            unsafe message.msg_iov = vector.baseAddress
            unsafe message.msg_iovlen = count
            return unsafe sendmsg(descriptor, &message, flags)
        }
    }

    mutating func shutdownSending(_ descriptor: Descriptor) {
        _ = shutdown(descriptor, Int32(SHUT_WR))
    }

    mutating func close(_ descriptor: Descriptor, reset: Bool) {
        if reset {
            var option = linger(l_onoff: 1, l_linger: 0)
            _ = unsafe setsockopt(
                descriptor, SOL_SOCKET, SO_LINGER, &option,
                socklen_t(MemoryLayout<linger>.size))
        }
        _ = Glibc.close(descriptor)
    }

    // MARK: - Waiting

    mutating func wait(until deadline: BootTime?, into events: inout [SysEvent]) -> WaitOutcome {
        var timeout: Int32 = -1
        if let deadline {
            // Rounded up, so that the loop does not turn idly just before the deadline.
            let span = max(0, (deadline - now()).count)
            timeout = Int32(clamping: span / 1_000_000 + (span % 1_000_000 == 0 ? 0 : 1))
        }
        let count = unsafe epoll_wait(epoll, &kernelEvents, Int32(Self.eventLimit), timeout)
        guard count > 0 else {
            precondition(count == 0 || errno == EINTR, "epoll_wait failed")
            return count == 0 ? .complete : .interrupted
        }
        for index in 0..<Int(count) {
            let event = unsafe kernelEvents[index]
            switch unsafe event.data.u64 {
            case Self.inboxData: inbox.takeAnswers(into: &events)
            case Self.signalData: takeSignals(into: &events)
            case let bits:
                let failed = unsafe event.events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0
                events.append(
                    .socket(
                        Token(bits: bits),
                        readable: unsafe failed || event.events & EPOLLIN.rawValue != 0,
                        writable: unsafe failed || event.events & EPOLLOUT.rawValue != 0))
            }
        }
        return Int(count) < Self.eventLimit ? .complete : .cut(told: Int(count))
    }

    mutating func unusedMemory() -> Int {
        Int(clamping: mallinfo2().fordblks)
    }

    mutating func releaseMemory() {
        _ = malloc_trim(0)
    }

    private mutating func takeSignals(into events: inout [SysEvent]) {
        var info = signalfd_siginfo()
        let size = MemoryLayout<signalfd_siginfo>.size
        while unsafe read(signals, &info, size) == size {
            events.append(.signal(Int32(info.ssi_signo)))
        }
    }

    // MARK: - Helpers

    private static let socketFlags =
        Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)

    /// Small frames must not wait for an acknowledgement (Nagle).
    private static func setNoDelay(_ descriptor: Descriptor, family: Int32) {
        guard family != AF_UNIX else { return }
        set(1, Int32(IPPROTO_TCP), TCP_NODELAY, on: descriptor)
    }

    /// Bounds the time for which the other end may be gone without a word (tcp(7), RFC 5482).
    private static func set(_ keepAlive: KeepAlive, on descriptor: Descriptor, family: Int32) {
        guard family != AF_UNIX else { return }
        let tcp = Int32(IPPROTO_TCP)
        set(1, SOL_SOCKET, SO_KEEPALIVE, on: descriptor)
        set(Int32(clamping: keepAlive.idle.milliseconds / 1000), tcp, TCP_KEEPIDLE, on: descriptor)
        set(
            Int32(clamping: keepAlive.interval.milliseconds / 1000), tcp, TCP_KEEPINTVL,
            on: descriptor)
        let limit = Int32(clamping: keepAlive.limit.milliseconds)
        set(limit, tcp, TCP_USER_TIMEOUT, on: descriptor)
    }

    private static func set(
        _ value: Int32, _ level: Int32, _ option: Int32, on descriptor: Descriptor
    ) {
        var value = value
        _ = unsafe setsockopt(
            descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    private static func bits(_ interest: Interest) -> UInt32 {
        (interest.contains(.read) ? EPOLLIN.rawValue : 0)
            | (interest.contains(.write) ? EPOLLOUT.rawValue : 0)
    }

    private func control(
        _ operation: Int32, _ descriptor: Descriptor, events: UInt32, data: UInt64
    ) {
        var event = unsafe epoll_event()
        unsafe event.events = events
        unsafe event.data.u64 = data
        let result = unsafe epoll_ctl(epoll, operation, descriptor, &event)
        precondition(result == 0, "epoll_ctl refused a descriptor of our own")
    }
}
