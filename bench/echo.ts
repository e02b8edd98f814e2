/** Send back what the parent sends: the least that a round trip to a child can cost. */
process.on('message', (message) => process.send?.(message));
process.on('disconnect', () => process.exit(0));
