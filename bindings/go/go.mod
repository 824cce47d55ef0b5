module github.com/bregman-decoding/bregman/bindings/go

go 1.24
