/// What the event loops are asked for a debug page.
enum DebugQuestion: Equatable, Sendable {
    case connections(DebugQuery)
    case closed(DebugQuery)
    case links(DebugQuery)
    case streams(DebugQuery)
    case loops
}

/// What one event loop answers, or several of them together.
enum DebugAnswer: Equatable, Sendable {
    case connections(DebugRows<ConnectionRow>)
    case closed(DebugRows<ClosedRow>)
    case links(DebugRows<LinkRow>)
    case streams(DebugRows<StreamRow>)
    case loops(DebugRows<LoopRow>)

    /// Adds the answer of another loop to the same question.
    mutating func add(_ other: DebugAnswer) {
        switch (self, other) {
        case (.connections(var rows), .connections(let more)):
            rows.add(more)
            self = .connections(rows)
        case (.closed(var rows), .closed(let more)):
            rows.add(more)
            self = .closed(rows)
        case (.links(var rows), .links(let more)):
            rows.add(more)
            self = .links(rows)
        case (.streams(var rows), .streams(let more)):
            rows.add(more)
            self = .streams(rows)
        case (.loops(var rows), .loops(let more)):
            rows.add(more)
            self = .loops(rows)
        case (.connections, _), (.closed, _), (.links, _), (.streams, _), (.loops, _): break
        }
    }

    /// The page; `missing` are the loops that have not answered.
    func json(to question: DebugQuestion, missing: [Int]) -> [UInt8] {
        switch (self, question) {
        case (.connections(let rows), .connections(let query)):
            rows.json("connections", query, missing: missing)
        case (.closed(let rows), .closed(let query)):
            // The newest first: their numbers are the process's.
            rows.json("closed", query, missing: missing) { $0.place.number > $1.place.number }
        case (.links(let rows), .links(let query)):
            rows.json("links", query, missing: missing)
        case (.streams(let rows), .streams(let query)):
            rows.json("streams", query, missing: missing)
        case (.loops(let rows), _): rows.json("loops", DebugQuery(), missing: missing)
        case (.connections, _), (.closed, _), (.links, _), (.streams, _): []
        }
    }
}
