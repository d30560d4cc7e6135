import RESP

// What a cluster says of itself: that each slot has a master, and that each master answers from here and
// reaches the others.
extension Doctor {
    mutating func examineCluster(_ seeds: ClusterSeeds) throws(LinkFailure) {
        let (topology, seed) = try RedisConnection.topology(
            at: seeds, settings, Self.patience)
        let masters = topology.masters
        let missing = HashSlot.count - topology.coveredCount
        guard missing == 0 else {
            note(
                "cluster", .fail,
                "\(missing) of \(HashSlot.count) slots have no master, says \(seed)",
                "redis-cli --cluster check \(seed), and --cluster fix")
            return
        }
        for master in masters {
            do throws(LinkFailure) {
                let node = try RedisConnection(
                    settings, patience: Self.patience, at: ListenAddress(master))
                let state = try node.command(["CLUSTER", "INFO"])
                guard state.string?.contains("cluster_state:fail") != true else {
                    note(
                        "cluster", .fail, "the master \(master) says cluster_state:fail",
                        "it does not reach the others: redis-cli --cluster check \(seed)")
                    return
                }
            } catch {
                note(
                    "cluster", .fail, "the master \(master) cannot be reached from here: \(error)",
                    "cluster-announce-ip, -hostname and -port say where clients find a node")
                return
            }
        }
        note("cluster", .ok, "\(masters.count) masters have all slots, and each answers")
    }
}
