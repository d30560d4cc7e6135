import WSFrame

// What browsers and others ask for, on the pages' port and on the admin listener's.
extension Relay where S: ~Copyable {
    // MARK: - Connections

    /// Takes the connections that wait.
    mutating func acceptClients() {
        var taken = 0
        while true {
            switch acceptor.accept(taken: taken, &context) {
            case .accepted(let descriptor, let peer): hand(descriptor, peer: peer)
            case .wantsRoom: return wantRoom()
            case .nobody: return
            }
            taken += 1
        }
    }

    /// Gives a connection to the loop with the fewest; where there is no room, to one that can make
    /// room.
    private mutating func hand(_ descriptor: Descriptor, peer: SocketAddress) {
        let share = place.share
        var target = place.index
        if !place.isAlone {
            target =
                share.connections < context.options.clientLimit
                ? choice.fewest(share.loops.map(\.connectionCount), absent: watch.absent)
                : loopWithMostPlain
        }
        share.addConnection(to: target)
        if target == place.index {
            clients.admit(descriptor, peer: peer, &context)
        } else {
            share.post(.accepted(descriptor, peer: peer), to: target)
        }
    }

    /// Whoever waits behind those that say nothing is served after the pause; who has come only just
    /// now may have said something that is not read yet.
    private mutating func wantRoom() {
        let crowded = loopWithMostPlain
        let age = Acceptor<S>.pause
        if crowded == place.index {
            clients.makeRoom(olderThan: age, &context)
        } else {
            place.share.post(.makeRoom(olderThan: age), to: crowded)
        }
    }

    /// The loop that has the most connections that may give way.
    private var loopWithMostPlain: Int {
        let loops = place.share.loops
        return loops.indices.max { loops[$0].plainCount < loops[$1].plainCount } ?? place.index
    }

    // MARK: - Requests

    /// Serves a request, and those behind it.
    mutating func serve(_ request: HTTPRequest, to id: SlotID) {
        var request: HTTPRequest? = request
        while let present = request {
            answer(present, to: id)
            request = clients.goOn(id, &context)
        }
    }

    private mutating func answer(_ request: HTTPRequest, to id: SlotID) {
        clients.identify(id, by: request.headers, context)
        switch router.route(request) {
        case .health:
            clients.respond(HTTPResponse(status: 200, text: "OK"), to: id, &context)
        case .ready: clients.respond(Self.readiness(publicUnreadiness), to: id, &context)
        case .console(let file):
            let page = ConsolePage.response(
                file, nonce: context.loop.sys.random(), redis: settings.redis,
                sendsNotices: settings.gapNotices)
            clients.respond(page, to: id, &context)
        case .metrics: serveMetrics(to: .client(id), as: MetricsFormat(request.headers))
        case .refuse(let refusal): clients.refuse(id, request, refusal, &context)
        case .upgrade(let channel, let acceptKey):
            upgrade(id, request, to: channel, acceptKey: acceptKey)
        }
    }

    private mutating func upgrade(
        _ id: SlotID, _ request: HTTPRequest, to channel: ChannelName, acceptKey: String
    ) {
        let resume = settings.resumeWindow > .zero ? ResumeRequest(query: request.query) : nil
        if let other = otherLoop(of: resume) {
            let leaving = clients.handOver(id, request, to: other, &context)
            place.share.addConnection(to: other)
            return place.share.post(.comesBack(leaving), to: other)
        }
        if let refusal = refusalOfUpgrade(id) {
            return clients.refuse(id, request, refusal, &context)
        }
        if hub.keptCount > 0 { endKeptStreams() }
        clients.upgrade(id, to: channel, acceptKey: acceptKey, resume: resume, &context)
        subscribe(id, to: channel)
    }

    /// Why a proper upgrade is not taken all the same; a client that is taken is counted.
    private mutating func refusalOfUpgrade(_ id: SlotID) -> Refusal? {
        guard takesWebSockets else {
            // The page tries again after a plain failure, as it would with nobody listening here.
            return Refusal(
                status: 503, headers: [HTTPHeader("Retry-After", "1")],
                text: unreadiness.joined(separator: ", "), reason: "not_ready")
        }
        return clients.refusalOfUpgrade(id, context)
    }

    static func readiness(_ reasons: [String]) -> HTTPResponse {
        let body = "[" + reasons.map { "\"\($0)\"" }.joined(separator: ",") + "]"
        return HTTPResponse(
            status: reasons.isEmpty ? 200 : 503,
            headers: [HTTPHeader("Content-Type", "application/json")], body: Array(body.utf8))
    }

    /// Why the daemon is not ready, as far as pages' port may tell: with an admin listener only that it
    /// is not.
    private var publicUnreadiness: [String] {
        let reasons = unreadiness
        return reasons.isEmpty || settings.adminAddress == nil ? reasons : ["not_ready"]
    }

    // MARK: - The admin listener

    /// Serves what the admin listener was asked for.
    mutating func serve(_ route: AdminRoute, to id: SlotID) {
        switch route {
        case .health: admin.answer(id, HTTPResponse(status: 200, text: "OK"), &context)
        case .ready: admin.answer(id, Self.readiness(unreadiness), &context)
        case .metrics(let format): serveMetrics(to: .admin(id), as: format)
        case .debug(let question):
            admin.ask(question, for: id, own: debugAnswer(to: question), &context)
        case .traceState: admin.answer(id, traceState(), &context)
        case .startTrace(let request): startTrace(request, for: id)
        case .stopTrace: stopTrace(for: id)
        case .refuse(let response): admin.answer(id, response, &context)
        }
    }
}
