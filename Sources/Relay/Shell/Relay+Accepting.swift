import Logging
import WSFrame

// The door: which connections are taken, and when taking pauses.
extension Relay where S: ~Copyable {
    // MARK: - Accepting

    mutating func acceptClients() {
        guard let listener else { return }
        for taken in 0..<Self.acceptLimit {
            guard acceptBucket.take(now: loop.now) else {
                // After the first one nobody may be left: the next turn will tell.
                if taken == 0 { pauseForRate() }
                return
            }
            switch loop.sys.accept(listener) {
            case .wouldBlock:
                return
            case .failed(let error):
                pauseForWant(error)
                return
            case .accepted(let descriptor, let peer):
                hand(descriptor, peer: peer)
            }
        }
    }

    /// Gives a connection to the loop with the fewest; where there is no room, to one that can make
    /// room.
    private mutating func hand(_ descriptor: Descriptor, peer: SocketAddress) {
        let share = place.share
        var target = place.index
        if !place.isAlone {
            target =
                share.connections < options.clientLimit
                ? choice.fewest(share.loops.map(\.connectionCount), absent: watch.absent)
                : loopWithMostPlain
        }
        share.addConnection(to: target)
        if target == place.index {
            admit(descriptor, peer: peer)
        } else {
            share.post(.accepted(descriptor, peer: peer), to: target)
        }
    }

    /// The loop that has the most connections that may give way.
    private var loopWithMostPlain: Int {
        let loops = place.share.loops
        return loops.indices.max { loops[$0].plainCount < loops[$1].plainCount } ?? place.index
    }

    /// Takes a connection that is counted as one of this loop.
    mutating func admit(_ descriptor: Descriptor, peer: SocketAddress) {
        guard place.share.connections <= options.clientLimit || makeRoom() else {
            place.share.removeConnection(of: place.index)
            loop.sys.close(descriptor, reset: true)
            refuseConnection("client_limit", ["peer": "\(peer)"])
            return
        }
        let seed = loop.sys.random()
        let now = loop.now
        let address = peer.networkAddress
        let id = clients.insert { id in
            ClientEntry(
                machine: ClientConnection(configuration: configuration, seed: seed, now: now),
                socket: loop.makeSocket(token: Token(.client, id)),
                peer: address == nil ? "unix" : peer.description, address: address,
                openedAt: now)
        }
        loop.adopt(descriptor, in: &clients[id].socket)
        arm(client: id)
        arrivals.append(id, isWaiting: { clients.contains($0) && clients[$0].isPlain })
    }

    /// Closes the connection that has been here longest of those that are no WebSockets, if it has
    /// been here for `age`.
    @discardableResult
    mutating func makeRoom(olderThan age: Nanoseconds = .zero) -> Bool {
        let oldest = arrivals.oldest(
            isWaiting: { clients.contains($0) && clients[$0].isPlain })
        guard let oldest, clients[oldest].openedAt + age <= loop.now else { return false }
        refuseConnection(ClientEnd.gaveWay.reason, metadata(ofClient: oldest))
        closeClient(oldest, .gaveWay)
        return true
    }

    // MARK: - Pauses

    /// More connections come than may: the others wait in the kernel's backlog.
    private mutating func pauseForRate() {
        metrics.acceptPauses += 1
        if case .logged(let suppressed) = acceptRateLogLimit.admit(at: loop.now) {
            log.server.warning(
                "accepting pauses: more connections than STATUS_ACCEPT_RATE",
                metadata: ["suppressed": .stringConvertible(suppressed)])
        }
        pauseAccepting(until: max(acceptBucket.earliest, loop.now + Self.acceptRatePause))
    }

    /// Out of descriptors or memory: accepting pauses instead of failing in a circle.
    private mutating func pauseForWant(_ error: SystemError) {
        metrics.acceptFailures += 1
        if case .logged(let suppressed) = acceptLogLimit.admit(at: loop.now) {
            log.server.error(
                "accept failed; accepting pauses",
                metadata: [
                    "error": "\(error.reason)", "suppressed": .stringConvertible(suppressed),
                ])
        }
        // Whoever waits behind those that say nothing is served after the pause; who has come only
        // just now may have said something that is not read yet.
        let crowded = loopWithMostPlain
        if crowded == place.index {
            makeRoom(olderThan: Self.acceptPause)
        } else {
            place.share.post(.makeRoom(olderThan: Self.acceptPause), to: crowded)
        }
        pauseAccepting(until: loop.now + Self.acceptPause)
    }

    private mutating func pauseAccepting(until deadline: Instant) {
        guard let listener else { return }
        loop.sys.rewatch(listener, token: Token(.listener), for: [])
        loop.arm(acceptTimer, at: deadline)
    }

    mutating func resumeAccepting() {
        guard let listener else { return }
        loop.sys.rewatch(listener, token: Token(.listener), for: .read)
    }

    // MARK: - Addresses

    /// Notes where a request comes from, as far as a trusted proxy tells.
    mutating func identify(_ id: SlotID, by headers: HTTPHeaders) {
        let proxies = settings.trustedProxies
        guard !proxies.isEmpty,
            let client = proxies.client(peer: clients[id].address, headers: headers)
        else { return }
        clients[id].proxy = clients[id].peer
        clients[id].peer = client.description
        clients[id].address = client
    }

    /// Counts a WebSocket for its address; returns false where the address has too many.
    mutating func enter(_ id: SlotID) -> Bool {
        guard settings.maxConnectionsPerAddress > 0, !settings.trustedProxies.isEmpty,
            let address = clients[id].address
        else { return true }
        return place.share.enter(address, limit: settings.maxConnectionsPerAddress)
    }

    /// Counts a WebSocket no more.
    mutating func leave(_ id: SlotID) {
        guard let address = clients[id].address else { return }
        place.share.leave(address)
    }
}

extension ClientEntry {
    /// Whether it is no WebSocket: it says nothing yet, or has had its answer.
    fileprivate var isPlain: Bool { machine.channel == nil }
}
