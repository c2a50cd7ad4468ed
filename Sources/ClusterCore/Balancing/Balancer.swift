import Transport

/// Which replica a request goes to: the one that is done with it first, by the tokens that it and those before it have
/// still to process and to generate, and by how fast the replica is at either.
enum Balancer {
    /// What a replica offers to one request.
    struct Offer: Sendable {
        var replica: Int
        /// All that it has still to do.
        var outstanding = TokenWork()
        /// The request's own tokens, without those that the replica has kept.
        var own = TokenWork()
        var pace = Pace()
        /// Whether the request can begin at once.
        var hasRoom = true
        /// How often the replica's breaker has opened in a row, if it is open; 0 otherwise.
        var openingCount = 0
    }

    /// The replica for a request; nil without offers.
    ///
    /// One with an open breaker gets it only if there is no other, and of several such the one that has failed least. One
    /// where it would have to wait gets it only if it has to wait everywhere.
    static func pick(_ offers: [Offer]) -> Int? {
        let known = offers.compactMap(\.pace.secondsPerNewToken)
        let usual = known.isEmpty ? 1 : known.reduce(0, +) / Double(known.count)
        func cost(_ offer: Offer) -> Double {
            offer.pace.seconds(for: offer.outstanding + offer.own, usualSeconds: usual)
        }
        return offers.min { left, right in
            let first = (left.openingCount, left.hasRoom ? 0 : 1, cost(left), left.replica)
            return first < (right.openingCount, right.hasRoom ? 0 : 1, cost(right), right.replica)
        }?.replica
    }
}
