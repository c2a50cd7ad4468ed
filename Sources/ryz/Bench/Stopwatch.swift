import OperatorTools

/// Times of repeated work.
enum Stopwatch {
    /// Seconds that `body` takes.
    static func seconds(_ body: () throws -> Void) rethrows -> Double {
        let clock = ContinuousClock()
        let duration = try clock.measure(body)
        return Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
    }

    /// The least of several: for roofs, which nothing can exceed.
    static func best(of count: Int, _ body: () throws -> Void) rethrows -> Double {
        var best = Double.infinity
        for _ in 0..<count { best = min(best, try seconds(body)) }
        return best
    }

    /// The middle one of several: for everything that is held against a roof.
    static func median(of count: Int, _ body: () throws -> Void) rethrows -> Double {
        var times: [Double] = []
        for _ in 0..<count { times.append(try seconds(body)) }
        return Median.of(times)
    }
}
