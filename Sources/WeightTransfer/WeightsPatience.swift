/// How long to wait for what while weights are fetched, and how much to ask for at a time.
public struct WeightsPatience: Equatable, Sendable {
    /// Requests under way to one source. As many chunks are in memory there for each worker that fetches.
    public var openRequestLimit = 4
    /// Requests under way to all other workers together. As many chunks may be in memory here.
    public var sharedRequestLimit = 32
    /// Longest wait before looking up, and before asking again for what is not ready.
    public var pause: Duration = .milliseconds(200)
    /// Silence of the coordinator after which all is asked for anew over a fresh connection; it doubles from time to time.
    /// Another worker is asked no more after as long.
    public var firstSilence: Duration = .seconds(5)
    public var longestSilence: Duration = .seconds(40)
    /// How long nothing may come before it is given up.
    public var longestStandstill: Duration = .seconds(120)
    /// How long another worker may take to say what it has before the coordinator is asked for everything.
    public var introduction: Duration = .seconds(3)
    /// How often a worker that has not everything is asked what it has.
    public var lookInterval: Duration = .seconds(2)
    /// For an answer; beyond it, the coordinator is asked for what that worker has, too.
    public var slowAnswer: Duration = .seconds(1)

    public init() {}
}
