public import Transport

/// What has been measured of the links, as health shows it.
public struct MeasuringHealth: Codable, Sendable, Equatable {
    public struct Link: Codable, Sendable, Equatable {
        /// The two workers, in order of name.
        public var first: String
        public var second: String
        /// Whether they share memory, so that ranks exchange their parts there and not over sockets.
        public var sharesMemory: Bool
        public var link: MeasuredLink

        private enum CodingKeys: String, CodingKey {
            case first, second, link
            case sharesMemory = "shares_memory"
        }

        public init(first: String, second: String, sharesMemory: Bool, link: MeasuredLink) {
            self.first = first
            self.second = second
            self.sharesMemory = sharesMemory
            self.link = link
        }
    }

    /// Workers and links that are still to be measured.
    public var pendingCount: Int
    /// What could not be measured, and why.
    public var problems: [String]
    public var links: [Link]

    private enum CodingKeys: String, CodingKey {
        case problems, links
        case pendingCount = "pending_count"
    }

    public init(pendingCount: Int = 0, problems: [String] = [], links: [Link] = []) {
        self.pendingCount = pendingCount
        self.problems = problems
        self.links = links
    }
}

/// Why nothing is measured at the moment.
public struct MeasuringRefusal: Error, Sendable, Equatable, CustomStringConvertible {
    public var description: String

    public init(_ description: String) { self.description = description }
}
