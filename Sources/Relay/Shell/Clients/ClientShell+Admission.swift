import Logging
import WSFrame

/// A connection that comes back to a stream of another loop, with its request.
struct HandOver: Equatable, Sendable {
    let descriptor: Descriptor
    let peer: String
    let proxy: String?
    let address: NetworkAddress?
    let request: HTTPRequest
    /// What came behind the request.
    let rest: [UInt8]
    /// The loop that has the stream.
    let target: Int
}

// Who is taken: connections, and WebSockets among them.
extension ClientShell where S: ~Copyable {
    // MARK: - Connections

    /// Takes a connection that is counted as one of this loop.
    mutating func admit(
        _ descriptor: Descriptor, peer: SocketAddress, _ context: inout LoopContext<S>
    ) {
        let share = context.place.share
        guard share.connections <= context.options.clientLimit || makeRoom(&context) else {
            share.removeConnection(of: context.place.index)
            context.loop.sys.close(descriptor, reset: true)
            refuseConnection("client_limit", ["peer": "\(peer)"], &context)
            return
        }
        let address = peer.networkAddress
        let id = insert(
            descriptor, peer: address == nil ? "unix" : peer.description, proxy: nil,
            address: address, &context)
        arrivals.append(
            id, isWaiting: { connections.contains($0) && connections[$0].isPlain })
    }

    private mutating func insert(
        _ descriptor: Descriptor, peer: String, proxy: String?, address: NetworkAddress?,
        _ context: inout LoopContext<S>
    ) -> SlotID {
        let seed = context.loop.sys.random()
        let now = context.loop.now
        let id = connections.insert { id in
            ClientEntry(
                machine: ClientConnection(
                    configuration: context.configuration, seed: seed, now: now),
                socket: context.loop.makeSocket(token: Token(.client, id)),
                peer: peer, proxy: proxy, address: address, openedAt: now)
        }
        context.loop.adopt(descriptor, in: &connections[id].socket)
        arm(id, &context)
        return id
    }

    /// Closes the connection that has been here longest of those that are no WebSockets, if it has
    /// been here for `age`.
    @discardableResult
    mutating func makeRoom(
        olderThan age: Nanoseconds = .zero, _ context: inout LoopContext<S>
    ) -> Bool {
        let oldest = arrivals.oldest(
            isWaiting: { connections.contains($0) && connections[$0].isPlain })
        guard let oldest, connections[oldest].openedAt + age <= context.loop.now else {
            return false
        }
        refuseConnection(ClientEnd.gaveWay.reason, metadata(of: oldest), &context)
        close(oldest, .gaveWay, &context)
        return true
    }

    // MARK: - WebSockets

    /// Counts a WebSocket, for the process and for its address; returns why it is not taken.
    mutating func refusalOfUpgrade(
        _ id: SlotID, _ context: borrowing LoopContext<S>
    ) -> Refusal? {
        let share = context.place.share
        let index = context.place.index
        guard share.addWebSocket(of: index, limit: context.options.connectionLimit) else {
            return Refusal(
                status: 503, headers: [HTTPHeader("Retry-After", "5")],
                text: "too many connections", reason: "connection_limit")
        }
        guard enter(id, context) else {
            share.removeWebSocket(of: index)
            return Refusal(
                status: 429, headers: [HTTPHeader("Retry-After", "5")],
                text: "too many connections of your address", reason: "address_limit")
        }
        return nil
    }

    /// Counts a WebSocket for its address; returns false where the address has too many.
    private func enter(_ id: SlotID, _ context: borrowing LoopContext<S>) -> Bool {
        let limit = context.settings.maxConnectionsPerAddress
        guard limit > 0, !context.settings.trustedProxies.isEmpty,
            let address = connections[id].address
        else { return true }
        return context.place.share.enter(address, limit: limit)
    }

    /// Notes where a request comes from, as far as a trusted proxy tells.
    mutating func identify(
        _ id: SlotID, by headers: HTTPHeaders, _ context: borrowing LoopContext<S>
    ) {
        let proxies = context.settings.trustedProxies
        // Of a connection from another loop it is known.
        guard !proxies.isEmpty, connections[id].proxy == nil,
            let client = proxies.client(peer: connections[id].address, headers: headers)
        else { return }
        connections[id].proxy = connections[id].peer
        connections[id].peer = client.description
        connections[id].address = client
    }

    // MARK: - Other loops

    /// Gives a connection up without closing it, for the loop that has the stream which its request
    /// asks for; what came behind the request goes along.
    mutating func handOver(
        _ id: SlotID, _ request: HTTPRequest, to target: Int, _ context: inout LoopContext<S>
    ) -> HandOver {
        let rest = connections[id].socket.input.bytes
        let descriptor = context.loop.detach(&connections[id].socket)
        let leaving = HandOver(
            descriptor: descriptor, peer: connections[id].peer, proxy: connections[id].proxy,
            address: connections[id].address, request: request, rest: Array(rest),
            target: target)
        connections.remove(id)
        context.place.share.removeConnection(of: context.place.index)
        return leaving
    }

    /// Takes a connection whose request another loop has read; the request is to be served.
    mutating func takeOver(
        _ handOver: HandOver, _ context: inout LoopContext<S>
    ) -> SlotID {
        let id = insert(
            handOver.descriptor, peer: handOver.peer, proxy: handOver.proxy,
            address: handOver.address, &context)
        var buffer = handOver.rest
        let count = buffer.count
        _ = context.loop.join(&buffer, count: count, in: &connections[id].socket)
        context.loop.keep(&buffer, from: 0, of: count, in: &connections[id].socket)
        return id
    }
}
