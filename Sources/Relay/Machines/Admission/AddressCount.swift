/// How many connections each address has open.
///
/// It is as large as the number of the addresses that have any, and that is bounded by the number
/// of connections.
struct AddressCount {
    private var counts: [NetworkAddress: Int] = [:]

    /// The addresses that have a connection.
    var addresses: Int { counts.count }

    /// Counts one more connection; returns false, and counts nothing, where the address has `limit`
    /// already.
    mutating func enter(_ address: NetworkAddress, limit: Int) -> Bool {
        let count = counts[address, default: 0]
        guard count < limit else { return false }
        counts[address] = count + 1
        return true
    }

    /// Counts one less.
    mutating func leave(_ address: NetworkAddress) {
        guard let count = counts[address] else { return }
        counts[address] = count > 1 ? count - 1 : nil
    }
}
