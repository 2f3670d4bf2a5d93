"""The server beside services of your own, in one application.

    twistd --nodaemon --python examples/own_application.tac

It is configured by the file certstream.yaml in the folder where it is started.
"""

from twisted.application import internet, service
from twisted.internet import reactor
from twisted.logger import Logger

from certstream_tx import make_server

log = Logger(namespace="own_application")

application = service.Application("own application")

server = make_server(reactor, config_file="certstream.yaml")
server.setServiceParent(application)

clock = internet.TimerService(60, log.info, "our own service is well, too")
clock.setServiceParent(application)
