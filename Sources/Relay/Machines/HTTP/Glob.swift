/// A shell pattern with the syntax and the meaning of Go's `path.Match`.
///
/// `*` stands for any characters but `/`, `?` for one that is not `/`, `[a-z]` and `[^a-z]` for one
/// in or out of a range, and `\` takes the special meaning from the next character. Matching takes
/// time in proportion to the product of both lengths at worst, whatever the pattern.
struct Glob: Sendable, Equatable {
    private enum Token: Sendable, Equatable {
        case literal(Unicode.Scalar)
        case anyOne
        case anyMany
        case oneOf([ClosedRange<UInt32>], isNegated: Bool)
    }

    private let tokens: [Token]

    /// `*`
    static let anything = Glob(tokens: [.anyMany])

    private init(tokens: [Token]) {
        self.tokens = tokens
    }

    /// Compiles a pattern; nil where it is malformed.
    init?(_ pattern: String) {
        var tokens: [Token] = []
        var rest = Array(pattern.unicodeScalars)[...]
        while let scalar = rest.popFirst() {
            switch scalar {
            case "*":
                if tokens.last != .anyMany { tokens.append(.anyMany) }
            case "?":
                tokens.append(.anyOne)
            case "[":
                guard let token = Glob.takeClass(&rest) else { return nil }
                tokens.append(token)
            case "\\":
                guard let escaped = rest.popFirst() else { return nil }
                tokens.append(.literal(escaped))
            default:
                tokens.append(.literal(scalar))
            }
        }
        self.tokens = tokens
    }

    /// Whether the pattern stands for the whole text.
    ///
    /// Only the last `*` is ever widened: what lies before it has already been matched as early as
    /// it can be, so to widen an earlier one gains nothing.
    func matches(_ text: String) -> Bool {
        let scalars = Array(text.unicodeScalars)
        var token = 0
        var position = 0
        var star: (token: Int, position: Int)?
        while true {
            if token < tokens.count, tokens[token] == .anyMany {
                star = (token, position)
                token += 1
            } else if token < tokens.count, position < scalars.count,
                Glob.matches(tokens[token], scalars[position])
            {
                token += 1
                position += 1
            } else if token == tokens.count, position == scalars.count {
                return true
            } else if let last = star, last.position < scalars.count,
                scalars[last.position] != "/"
            {
                star = (last.token, last.position + 1)
                token = last.token + 1
                position = last.position + 1
            } else {
                return false
            }
        }
    }

    private static func matches(_ token: Token, _ scalar: Unicode.Scalar) -> Bool {
        switch token {
        case .literal(let literal): scalar == literal
        case .anyOne: scalar != "/"
        case .anyMany: false
        case .oneOf(let ranges, let isNegated):
            ranges.contains { $0.contains(scalar.value) } != isNegated
        }
    }

    /// Why the pattern stands for no text of these characters; nil where it may stand for one.
    enum Misfit: Equatable {
        /// It has a character that is none of them.
        case character(Unicode.Scalar)
        /// It has a class that none of them is in.
        case emptyClass
    }

    /// The first token that stands for none of the characters.
    func misfit(among alphabet: [Unicode.Scalar]) -> Misfit? {
        for token in tokens {
            switch token {
            case .literal(let scalar) where !alphabet.contains(scalar): return .character(scalar)
            case .oneOf where !alphabet.contains(where: { Self.matches(token, $0) }):
                return .emptyClass
            default: continue
            }
        }
        return nil
    }

    /// Takes the rest of a character class, its `[` being gone; nil where it is malformed.
    private static func takeClass(_ rest: inout ArraySlice<Unicode.Scalar>) -> Token? {
        let isNegated = rest.first == "^"
        if isNegated { rest.removeFirst() }
        var ranges: [ClosedRange<UInt32>] = []
        var isEmpty = true
        while isEmpty || rest.first != "]" {
            guard let low = takeClassMember(&rest) else { return nil }
            var high = low
            if rest.first == "-" {
                rest.removeFirst()
                guard let end = takeClassMember(&rest) else { return nil }
                high = end
            }
            isEmpty = false
            // A range that runs backwards holds nothing, as in Go.
            if low <= high { ranges.append(low.value...high.value) }
        }
        rest.removeFirst()
        return .oneOf(ranges, isNegated: isNegated)
    }

    private static func takeClassMember(
        _ rest: inout ArraySlice<Unicode.Scalar>
    ) -> Unicode.Scalar? {
        guard let scalar = rest.popFirst(), scalar != "-", scalar != "]" else { return nil }
        return scalar == "\\" ? rest.popFirst() : scalar
    }
}
