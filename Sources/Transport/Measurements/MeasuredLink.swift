/// What two workers measured of the ways between them.
public struct MeasuredLink: Sendable, Equatable, Codable {
    /// Over the data plane, which hidden states take.
    public var sockets: LinkMeasurement
    /// Through the memory that they share, in which ranks exchange their parts; nil if they share none.
    public var memory: LinkMeasurement?

    public init(sockets: LinkMeasurement, memory: LinkMeasurement? = nil) {
        self.sockets = sockets
        self.memory = memory
    }
}
