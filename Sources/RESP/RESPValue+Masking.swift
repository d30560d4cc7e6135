extension RESPValue {
    /// The value with the passwords of a command replaced by `***`.
    ///
    /// It knows `AUTH`, `HELLO … AUTH`, `MIGRATE … AUTH` and `AUTH2`, `CONFIG SET` of passwords and
    /// `ACL SETUSER`; any other value stays as it is. Where a command is not well-formed it masks
    /// too much rather than too little.
    public func maskingPasswords() -> RESPValue {
        guard kind == .array, count > 1 else { return self }
        let arguments = Array(children)
        let words = arguments.map { ($0.string ?? "").uppercased() }
        let secrets = Self.secrets(words)
        guard !secrets.isEmpty else { return self }
        return .array(
            arguments.indices.map { secrets.contains($0) ? .bulkString("***") : arguments[$0] })
    }

    /// The indices of the arguments of a command that must not be seen.
    private static func secrets(_ words: [String]) -> [Int] {
        let all = Array(words.indices.dropFirst())
        switch words[0] {
        case "AUTH":
            // The name of a user is no secret where it can be told from a password.
            return words.count == 3 ? [2] : all
        case "HELLO":
            guard let auth = words.firstIndex(of: "AUTH") else { return [] }
            return words.indices.filter {
                $0 == auth + 2 || ($0 == auth + 1 && $0 + 1 == words.count)
            }
        case "MIGRATE":
            guard let auth = words.firstIndex(where: { $0 == "AUTH" || $0 == "AUTH2" }) else {
                return []
            }
            return words.indices.filter {
                $0 == auth + 1 || (words[auth] == "AUTH2" && $0 == auth + 2)
            }
        case "CONFIG":
            let names = ["REQUIREPASS", "MASTERAUTH", "TLS-KEY-FILE-PASS"]
            return words.indices.filter { $0 > 2 && names.contains(words[$0 - 1]) }
        case "ACL":
            return words.indices.filter { $0 > 2 && !["ON", "OFF"].contains(words[$0]) }
        default:
            return []
        }
    }
}
